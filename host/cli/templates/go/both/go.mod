module {{name}}

go 1.25

require dynhost v0.1.0

replace dynhost => {{./sdk}}
