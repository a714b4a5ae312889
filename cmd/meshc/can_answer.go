package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/compiler/verdict"
)

// answer is a verdict with where the objects it names were written.
type answer struct {
	Question string `json:"question"`
	verdict.Answer
	Shares  []string     `json:"shares,omitempty"`
	Objects []object     `json:"objects,omitempty"`
	Defect  string       `json:"defect,omitempty"`
	Why     *verdict.Why `json:"why,omitempty"` // with --why
}

type object struct {
	Name string `json:"name"`
	File string `json:"file,omitempty"`
	Line int    `json:"line,omitempty"`
	// Decides: it lets the request through; else it comes near.
	Decides bool `json:"decides"`
}

// objects are the policy objects that a verdict names, those that decide first.
func objects(mesh *ir.Mesh, v ir.Verdict) []object {
	var out []object
	add := func(name string, decides bool) {
		if slices.ContainsFunc(out, func(o object) bool { return o.Name == name }) {
			return
		}
		o := object{Name: name, Decides: decides}
		if at, ok := mesh.Origins[name]; ok {
			o.File, o.Line = at.File, at.Line
		}
		out = append(out, o)
	}
	for _, name := range v.By {
		add(name, true)
	}
	for _, near := range v.Near {
		name, _, _ := strings.Cut(near, " ")
		add(name, false)
	}
	return out
}

func (a answer) print(s streams, format string) error {
	if format == "json" {
		e := json.NewEncoder(s.Out)
		e.SetIndent("", "  ")
		e.SetEscapeHTML(false)
		return e.Encode(a)
	}
	text := fmt.Sprintf("%s: %s\n", a.Outcome, a.Question)
	if a.Status != 0 {
		text = fmt.Sprintf("%s (%d): %s\n", a.Outcome, a.Status, a.Question)
	}
	text += "  " + a.Reason + a.nearest() + "\n"
	for _, o := range a.Objects {
		if o.Decides {
			text += "  by " + o.String() + "\n"
		}
	}
	if len(a.Shares) > 0 {
		text += "  shares: " + strings.Join(a.Shares, ", ") + "\n"
	}
	for _, near := range a.Near {
		if a.Why != nil || strings.Contains(a.Reason, near) {
			continue
		}
		text += "  near: " + near + a.place(near) + "\n"
	}
	if a.Defect != "" {
		text += "  " + a.Defect + "\n"
	}
	if _, err := fmt.Fprint(s.Out, text); err != nil || a.Why == nil {
		return err
	}
	return a.Why.Text(s.Out)
}

// nearest is where the near miss that the reason tells was written.
func (a answer) nearest() string {
	for _, near := range a.Near {
		if strings.Contains(a.Reason, near) {
			return a.place(near)
		}
	}
	return ""
}

func (a answer) place(near string) string {
	name, _, _ := strings.Cut(near, " ")
	for _, o := range a.Objects {
		if o.Name == name && o.File != "" {
			return fmt.Sprintf(" (%s:%d)", o.File, o.Line)
		}
	}
	return ""
}

func (o object) String() string {
	if o.File == "" {
		return o.Name
	}
	return fmt.Sprintf("%s (%s:%d)", o.Name, o.File, o.Line)
}

func (a answer) exit() error {
	switch {
	case a.Defect != "" || a.Outcome == ir.Unknown:
		return failed(exitEngine)
	case a.Outcome == ir.Allow:
		return nil
	}
	return failed(exitFindings)
}
