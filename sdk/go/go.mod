module dynhost

go 1.25
