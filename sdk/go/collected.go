package dynhost

import (
	"iter"
	"reflect"

	"dynhost/internal/raw"
)

// How many elements are asked for at once. The host gives fewer where they are large.
const batch = 128

// Collected is a collected input: the values of all clones of a map, in the order in which they were emitted. They are
// pulled while the op goes through them, so there may be more than fit into its memory.
type Collected[T any] struct {
	pull raw.Pull
	// What was pulled and not yet taken: one loop may go on where another has stopped.
	pulled []raw.Element
}

// All goes through the elements with the mapping keys under which they were emitted, once. An element that is no T
// fails the step.
func (c *Collected[T]) All() iter.Seq2[string, T] {
	return func(yield func(string, T) bool) {
		for {
			if len(c.pulled) == 0 {
				if c.pull != nil {
					c.pulled = c.pull.Next(batch)
				}
				if len(c.pulled) == 0 {
					return
				}
			}
			element := c.pulled[0]
			c.pulled = c.pulled[1:]
			var value T
			if err := read(element.Value, reflect.ValueOf(&value).Elem()); err != nil {
				panic(&Failure{Message: "element `" + element.Key + "`: " + err.Error()})
			}
			if !yield(element.Key, value) {
				return
			}
		}
	}
}

// Values goes through the elements as [Collected.All] does, without their keys.
func (c *Collected[T]) Values() iter.Seq[T] {
	return func(yield func(T) bool) {
		for _, value := range c.All() {
			if !yield(value) {
				return
			}
		}
	}
}

// Len is how many elements there are in all, those already taken included.
func (c *Collected[T]) Len() int {
	if c.pull == nil {
		return 0
	}
	return int(c.pull.Len())
}

// FailedKeys are the mapping keys of the clones that failed where the job tolerates failures; their values are no
// elements.
func (c *Collected[T]) FailedKeys() []string {
	if c.pull == nil {
		return nil
	}
	return c.pull.FailedKeys()
}

type collectedPort interface {
	element() reflect.Type
	bind(raw.Pull)
}

func (c *Collected[T]) element() reflect.Type { return reflect.TypeFor[T]() }
func (c *Collected[T]) bind(pull raw.Pull)    { c.pull = pull }
