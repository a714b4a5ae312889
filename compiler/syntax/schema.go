package syntax

import (
	"reflect"
	"slices"
	"strings"
	"sync"

	"go.yaml.in/yaml/v3"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// shape is what a Kubernetes Go type takes in YAML, made once for each type.
type shape struct {
	is     shapeKind
	fields map[string]*shape // of a record
	names  []string          // its fields, sorted
	elem   *shape            // of a list or a map
}

type shapeKind uint8

const (
	anything shapeKind = iota
	textual
	integral
	numeric
	truth
	recordOf
	listOf
	mapOf
	quantity    // text or a number
	intOrString // text or a whole number
)

var (
	shapesMu sync.Mutex
	shapes   = map[reflect.Type]*shape{}
)

// shapeOf is the shape of a type.
func shapeOf(t reflect.Type) *shape {
	shapesMu.Lock()
	defer shapesMu.Unlock()
	return makeShape(t)
}

// sharedShape is a shape that is made when it is first wanted.
func sharedShape[T any]() func() *shape {
	return sync.OnceValue(func() *shape { return shapeOf(reflect.TypeFor[T]()) })
}

var special = map[reflect.Type]shapeKind{
	reflect.TypeFor[resource.Quantity]():    quantity,
	reflect.TypeFor[intstr.IntOrString]():   intOrString,
	reflect.TypeFor[metav1.Time]():          textual,
	reflect.TypeFor[metav1.MicroTime]():     textual,
	reflect.TypeFor[metav1.Duration]():      textual,
	reflect.TypeFor[metav1.FieldsV1]():      anything,
	reflect.TypeFor[runtime.RawExtension](): anything,
}

func makeShape(t reflect.Type) *shape {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if s, ok := shapes[t]; ok {
		return s
	}
	s := &shape{}
	shapes[t] = s // before its fields: types may contain themselves
	if k, ok := special[t]; ok {
		s.is = k
		return s
	}
	switch t.Kind() {
	case reflect.String:
		s.is = textual
	case reflect.Bool:
		s.is = truth
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64, reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		s.is = integral
	case reflect.Float32, reflect.Float64:
		s.is = numeric
	case reflect.Map:
		s.is, s.elem = mapOf, makeShape(t.Elem())
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 {
			s.is = textual // base64
			break
		}
		s.is, s.elem = listOf, makeShape(t.Elem())
	case reflect.Struct:
		s.is, s.fields = recordOf, map[string]*shape{}
		s.addFields(t)
		for name := range s.fields {
			s.names = append(s.names, name)
		}
		slices.Sort(s.names)
	}
	return s
}

// addFields adds the fields of a struct by their JSON names; inline ones too.
func (s *shape) addFields(t reflect.Type) {
	for i := range t.NumField() {
		f := t.Field(i)
		name, opts, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case name == "-" || !f.IsExported():
		case name == "" && (f.Anonymous || strings.Contains(opts, "inline")):
			inner := f.Type
			if inner.Kind() == reflect.Pointer {
				inner = inner.Elem()
			}
			s.addFields(inner)
		case name != "":
			s.fields[name] = makeShape(f.Type)
		}
	}
}

// check reports what the value has that its shape has not. A null stands for
// "not written" everywhere, as it does to Kubernetes.
func (c *cursor) check(s *shape) {
	if c.null() {
		return
	}
	n := c.n
	switch s.is {
	case recordOf:
		c.checkRecord(s)
	case mapOf:
		if n.Kind != yaml.MappingNode {
			c.wrongType("a map")
			return
		}
		for i := 0; i+1 < len(n.Content); i += 2 {
			c.down(n.Content[i].Value, n.Content[i+1]).check(s.elem)
		}
	case listOf:
		if n.Kind != yaml.SequenceNode {
			c.wrongType("a list")
			return
		}
		for i, item := range n.Content {
			c.down(i, item).check(s.elem)
		}
	case textual:
		c.text()
	case integral:
		c.whole()
	case truth:
		c.boolean()
	case numeric, quantity, intOrString:
		c.checkNumber(s.is)
	}
}

func (c *cursor) checkRecord(s *shape) {
	n := c.n
	if n.Kind != yaml.MappingNode {
		c.wrongType("a map")
		return
	}
	c.asks(s.names)
	for i := 0; i+1 < len(n.Content); i += 2 {
		name := n.Content[i].Value
		at := c.down(name, n.Content[i+1])
		if f, ok := s.fields[name]; ok {
			at.check(f)
		} else {
			unknownField(at, s.names, nil)
		}
	}
}

func (c *cursor) checkNumber(is shapeKind) {
	scalar := c.n.Kind == yaml.ScalarNode
	number := scalar && (c.n.Tag == "!!int" || c.n.Tag == "!!float")
	text := scalar && (c.n.Tag == "!!str" || c.n.Tag == "!!timestamp")
	switch is {
	case numeric:
		if !number {
			c.wrongType("a number")
		}
	case quantity:
		if !number && !text {
			c.wrongType("a quantity")
			return
		}
		if _, err := resource.ParseQuantity(c.n.Value); err != nil {
			f := c.fault("MSH0118", "%q is not a quantity", c.n.Value)
			*f = f.WithHelp("write a number with or without a unit: 500m, 2, 128Mi")
		}
	case intOrString:
		if _, whole := wholeNumber(c.n); !whole && !text {
			c.wrongType("a whole number or a name")
		}
	}
}
