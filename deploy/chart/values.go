package chart

import (
	"fmt"
	"strconv"
	"strings"

	"sigs.k8s.io/yaml"
)

// Defaults are the values of values.yaml.
func Defaults() (Object, error) {
	text, err := files.ReadFile("values.yaml")
	if err != nil {
		return nil, err
	}
	return Parse(text)
}

// Parse reads values from YAML.
func Parse(text []byte) (Object, error) {
	out := Object{}
	if err := yaml.Unmarshal(text, &out); err != nil {
		return nil, err
	}
	if out == nil {
		out = Object{}
	}
	return out, nil
}

// Merge lays values over others, as Helm does: records field by field, all else whole,
// and null takes away. Neither is changed.
func Merge(base, over Object) Object {
	out := make(Object, len(base))
	for k, v := range base {
		out[k] = v
	}
	for k, v := range over {
		if v == nil {
			delete(out, k)
			continue
		}
		if a, ok := out[k].(Object); ok {
			if b, ok := v.(Object); ok {
				out[k] = Merge(a, b)
				continue
			}
		}
		out[k] = v
	}
	return out
}

// Set reads one --set: a.b=c,d.e=f. A comma, a dot or an equals sign that is meant is
// written after a backslash; {a,b} is a list. With text every value is one.
func Set(words string, text bool) (Object, error) {
	out := Object{}
	for _, pair := range cut(words, ',') {
		if pair == "" {
			continue
		}
		at := cut(pair, '=')
		if len(at) < 2 {
			return nil, fmt.Errorf("%q has no =", pair)
		}
		path := cut(at[0], '.')
		here := out
		for _, name := range path[:len(path)-1] {
			next, ok := here[plain(name)].(Object)
			if !ok {
				next = Object{}
				here[plain(name)] = next
			}
			here = next
		}
		last := plain(path[len(path)-1])
		if last == "" || strings.HasSuffix(last, "]") {
			return nil, fmt.Errorf("%q names no field; a list is set as a whole: name={a,b}", at[0])
		}
		here[last] = value(strings.Join(at[1:], "="), text)
	}
	return out, nil
}

// value is a word as YAML would read it.
func value(word string, text bool) any {
	if strings.HasPrefix(word, "{") && strings.HasSuffix(word, "}") {
		list := []any{}
		for _, w := range cut(word[1:len(word)-1], ',') {
			if w != "" {
				list = append(list, value(w, text))
			}
		}
		return list
	}
	word = plain(word)
	if text {
		return word
	}
	switch word {
	case "true", "false":
		return word == "true"
	case "null":
		return nil
	}
	if n, err := strconv.ParseInt(word, 10, 64); err == nil && (word == "0" || !strings.HasPrefix(word, "0")) {
		return n
	}
	return word
}

// cut takes words apart at a sign that stands outside of braces and after no backslash.
func cut(words string, at byte) []string {
	var out []string
	depth, from := 0, 0
	for i := 0; i < len(words); i++ {
		switch c := words[i]; {
		case c == '\\':
			i++
		case c == '{':
			depth++
		case c == '}':
			depth--
		case c == at && depth == 0:
			out = append(out, words[from:i])
			from = i + 1
		}
	}
	return append(out, words[from:])
}

// plain is a word without its backslashes.
func plain(word string) string {
	var out strings.Builder
	for i := 0; i < len(word); i++ {
		if word[i] == '\\' && i+1 < len(word) {
			i++
		}
		out.WriteByte(word[i])
	}
	return out.String()
}
