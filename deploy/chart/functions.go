package chart

import (
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"text/template"

	"sigs.k8s.io/yaml"
)

// refused is what a template says of a value that it cannot take.
type refused struct{ words string }

func (r refused) Error() string { return r.words }

// refusal leaves of a template's error what the template itself said.
func refusal(err error) error {
	var r refused
	if errors.As(err, &r) {
		return r
	}
	return err
}

// functions are those of Helm that the chart uses, with Helm's meaning.
func functions(set *template.Template) template.FuncMap {
	return template.FuncMap{
		"include": func(name string, data any) (string, error) {
			var out strings.Builder
			err := set.ExecuteTemplate(&out, name, data)
			return out.String(), err
		},
		"toYaml": func(v any) (string, error) {
			text, err := yaml.Marshal(v)
			return strings.TrimSuffix(string(text), "\n"), err
		},
		"nindent": func(spaces int, text string) string {
			pad := strings.Repeat(" ", spaces)
			return "\n" + pad + strings.ReplaceAll(text, "\n", "\n"+pad)
		},
		"quote": func(v any) string { return strconv.Quote(fmt.Sprint(v)) },
		"required": func(words string, v any) (any, error) {
			if v == nil || v == "" {
				return nil, refused{words}
			}
			return v, nil
		},
		"fail": func(words string) (string, error) { return "", refused{words} },
		"default": func(otherwise, v any) any {
			if v == nil || reflect.ValueOf(v).IsZero() {
				return otherwise
			}
			return v
		},
		"dict": func(pairs ...any) (Object, error) {
			out := Object{}
			for i := 0; i+1 < len(pairs); i += 2 {
				out[fmt.Sprint(pairs[i])] = pairs[i+1]
			}
			return out, nil
		},
	}
}
