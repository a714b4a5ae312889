package inject

import (
	"fmt"
	"slices"
)

// at is the value at a path, nil if there is none.
func at(v any, path ...string) any {
	for _, step := range path {
		o, ok := v.(Object)
		if !ok {
			return nil
		}
		v = o[step]
	}
	return v
}

func text(v any, path ...string) string {
	s, _ := at(v, path...).(string)
	return s
}

// child is the object at a key; one that is not in the tree if it is missing, for
// reading only.
func child(o Object, key string) Object {
	c, ok := o[key].(Object)
	if !ok {
		return Object{}
	}
	return c
}

// ensured is the object at a key, made if it is missing.
func ensured(o Object, key string) Object {
	c, ok := o[key].(Object)
	if !ok {
		c = Object{}
		o[key] = c
	}
	return c
}

// items are the objects of a list.
func items(o Object, key string) []Object {
	list, _ := o[key].([]any)
	var out []Object
	for _, e := range list {
		if c, ok := e.(Object); ok {
			out = append(out, c)
		}
	}
	return out
}

// drop takes the elements of these names out of a list, and the list if it is empty then.
func drop(o Object, key string, names ...string) {
	list, ok := o[key].([]any)
	if !ok {
		return
	}
	left := slices.DeleteFunc(slices.Clone(list), func(e any) bool { return slices.Contains(names, text(e, "name")) })
	if len(left) == len(list) {
		return
	}
	if len(left) == 0 {
		delete(o, key)
		return
	}
	o[key] = left
}

// remove takes keys out of a map, and the map if it is empty then.
func remove(o Object, key string, names ...string) {
	m, ok := o[key].(Object)
	if !ok {
		return
	}
	before := len(m)
	for _, n := range names {
		delete(m, n)
	}
	if len(m) == 0 && before > 0 {
		delete(o, key)
	}
}

// container is a container with its place in the pod.
type container struct {
	Object
	name, path string
	init       bool
}

// allContainers are those of both lists, ours too.
func allContainers(spec Object) []container {
	var out []container
	for _, list := range []string{"initContainers", "containers"} {
		all, _ := spec[list].([]any)
		for n, e := range all {
			if c, ok := e.(Object); ok {
				out = append(out, container{c, text(c, "name"), fmt.Sprintf("spec.%s[%d]", list, n), list == "initContainers"})
			}
		}
	}
	return out
}
