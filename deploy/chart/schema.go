package chart

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"regexp"
	"slices"
	"strings"

	"github.com/meshc/meshc/compiler/diag"
)

// Fault is a value that the chart does not take.
type Fault struct {
	Path []string // from the top
	Says string
}

// Check holds values against values.schema.json, in order of path. It is the part of
// JSON Schema that the file uses; Helm holds them against the same file.
func Check(values Object) ([]Fault, error) {
	text, err := files.ReadFile("values.schema.json")
	if err != nil {
		return nil, err
	}
	var top Object
	if err := json.Unmarshal(text, &top); err != nil {
		return nil, fmt.Errorf("chart: values.schema.json: %w", err)
	}
	s := schema{definitions: child(top, "definitions")}
	s.check(top, values, nil)
	return s.faults, nil
}

type schema struct {
	definitions Object
	faults      []Fault
}

func child(o Object, name string) Object {
	c, _ := o[name].(Object)
	return c
}

func (s *schema) fault(path []string, format string, args ...any) {
	s.faults = append(s.faults, Fault{slices.Clone(path), fmt.Sprintf(format, args...)})
}

func (s *schema) check(rule Object, v any, path []string) {
	if ref, ok := rule["$ref"].(string); ok {
		rule = child(s.definitions, strings.TrimPrefix(ref, "#/definitions/"))
	}
	if want, ok := rule["type"].(string); ok && !is(want, v) {
		s.fault(path, "is %s, and must be %s", typeOf(v), article(want))
		return
	}
	if words, ok := rule["enum"].([]any); ok && !slices.Contains(words, v) {
		s.fault(path, "is %v, and must be one of %s", show(v), strings.Trim(fmt.Sprintf("%q", words), "[]"))
		return
	}
	switch v := v.(type) {
	case Object:
		s.record(rule, v, path)
	case []any:
		for i, e := range v {
			s.check(child(rule, "items"), e, append(path, fmt.Sprint(i)))
		}
	case string:
		if p, ok := rule["pattern"].(string); ok && !regexp.MustCompile(p).MatchString(v) {
			s.fault(path, "is %q, and must match %s", v, p)
		}
		if least, ok := rule["minLength"].(float64); ok && float64(len(v)) < least {
			s.fault(path, "must not be empty")
		}
	case int64, float64:
		n := number(v)
		if least, ok := rule["minimum"].(float64); ok && n < least {
			s.fault(path, "is %v, and must be %v at least", v, least)
		}
		if most, ok := rule["maximum"].(float64); ok && n > most {
			s.fault(path, "is %v, and must be %v at most", v, most)
		}
	}
}

func (s *schema) record(rule, v Object, path []string) {
	fields := child(rule, "properties")
	required, _ := rule["required"].([]any)
	for _, name := range required {
		if _, ok := v[fmt.Sprint(name)]; !ok {
			s.fault(path, "has no %v", name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(v)) {
		here := append(slices.Clone(path), name)
		if field, ok := fields[name].(Object); ok {
			s.check(field, v[name], here)
			continue
		}
		switch more := rule["additionalProperties"].(type) {
		case Object:
			s.check(more, v[name], here)
		case bool:
			if more {
				continue
			}
			says := "is no value of the chart"
			if near := diag.Nearest(name, slices.Sorted(maps.Keys(fields))); near != "" {
				says += "; did you mean " + near + "?"
			}
			s.fault(here, "%s", says)
		}
	}
}

func is(want string, v any) bool {
	switch want {
	case "object":
		_, ok := v.(Object)
		return ok
	case "array":
		_, ok := v.([]any)
		return ok
	case "string":
		_, ok := v.(string)
		return ok
	case "boolean":
		_, ok := v.(bool)
		return ok
	case "integer":
		n := number(v)
		return n == math.Trunc(n)
	}
	return false
}

// number is NaN for what is none.
func number(v any) float64 {
	switch v := v.(type) {
	case int64:
		return float64(v)
	case float64:
		return v
	}
	return math.NaN()
}

func typeOf(v any) string {
	for _, name := range []string{"object", "array", "string", "boolean", "integer"} {
		if is(name, v) {
			return article(name)
		}
	}
	return "no value"
}

func article(name string) string {
	switch name {
	case "object":
		return "a record"
	case "array":
		return "a list"
	case "string":
		return "a text"
	case "boolean":
		return "true or false"
	}
	return "a whole number"
}

func show(v any) string {
	if s, ok := v.(string); ok {
		return fmt.Sprintf("%q", s)
	}
	return fmt.Sprint(v)
}
