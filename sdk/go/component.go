//go:build wasip1

package dynhost

// The exports of the component.
import _ "dynhost/internal/bindings/wit_exports"
