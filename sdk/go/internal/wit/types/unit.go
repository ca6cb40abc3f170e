//go:build wasip1

// From the Go module of wit-bindgen, see ../LICENSE. Changed: this line and the build constraint.

package wit_types

type Unit struct{}
