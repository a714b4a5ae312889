package syntax

import (
	"path"
	"regexp"
	"strings"
	"time"

	"github.com/meshc/meshc/compiler/diag"
)

// Waivers are the waivers of a file in the tree.
type Waivers struct{ List []Waiver }

// Waiver is an entry of `waivers` in meshc.yaml or in an object of kind Waivers, or
// a comment: somebody accepts the findings of a code about some objects until a
// day. One with a fault is not kept.
type Waiver struct {
	Code   diag.Code
	Target WaiverTarget
	// Path is the field below which the findings lie; empty: anywhere in the object.
	Path          string
	Reason, Owner string
	// Expires is the last day it holds, at midnight UTC.
	Expires time.Time
	At      diag.Span
	// Within is set for a comment, which has no target: the lines that it is for.
	Within diag.Span
	// Beside names the object and the first of these lines that holds anything.
	Beside string
}

// Covers tells whether a waiver says for the same target what another does, for at
// least as long.
func (w Waiver) Covers(other Waiver) bool {
	return w.Code == other.Code && w.Target == other.Target && w.Path == other.Path && w.Within == other.Within && !w.Expires.Before(other.Expires)
}

// WaiverTarget names objects, by globs (path.Match). An empty namespace means
// objects that are in none.
type WaiverTarget struct{ Kind, Namespace, Name string }

func decodeWaivers(d *decoder, root *record) {
	d.obj.Waivers = &Waivers{}
	spec := root.need("spec").record()
	if spec == nil {
		return
	}
	d.obj.Waivers.List = waivers(spec.need("waivers"))
	spec.done()
}

// codeForm is the form of a code, a rule's too.
var codeForm = regexp.MustCompile(`^[A-Z][A-Z0-9]{1,15}[0-9]{3,4}$`)

// waivers reads the entries of a list that have no fault.
func waivers(c *cursor) []Waiver {
	var out []Waiver
	for _, item := range c.items() {
		before := len(*item.d.found)
		if item.null() {
			item.wrongType("a map")
		}
		w := waiver(item)
		if len(*item.d.found) == before {
			out = append(out, w)
		}
	}
	return out
}

func waiver(c *cursor) Waiver {
	w := Waiver{At: c.span()}
	r := c.record()
	if r == nil {
		return w
	}
	if code := r.need("code"); code != nil {
		w.Code = diag.Code(code.text())
		code.waivable(w.Code)
	}
	target := r.need("target")
	if t := target.record(); t != nil {
		w.Target = WaiverTarget{Kind: t.need("kind").glob(), Namespace: t.get("namespace").glob(), Name: t.need("name").glob()}
		t.done()
		if w.Target.Everything() {
			f := target.fault("MSH0905", "the waiver covers objects of every kind, namespace and name")
			*f = f.WithHelp("write out at least one of kind, namespace and name")
		}
	}
	if p := r.get("path"); p != nil {
		w.Path = p.text()
		if strings.ContainsAny(w.Path, "[]") {
			f := p.fault("MSH0118", "%q names an item by its place, which another item may take", w.Path)
			*f = f.WithHelp("name the list: %s", w.Path[:strings.IndexAny(w.Path, "[]")])
		}
	}
	w.Reason, w.Owner = r.need("reason").said(), r.need("owner").said()
	if day := r.need("expires"); day != nil {
		var err error
		if w.Expires, err = time.Parse(time.DateOnly, day.quietText()); err != nil {
			f := day.fault("MSH0118", "%q is not a day", day.quietText())
			*f = f.WithHelp("write the last day on which the waiver holds, as 2027-01-31")
		}
	}
	r.done()
	return w
}

// waivable finds fault with a code that is none, or that nobody may waive.
func (c *cursor) waivable(code diag.Code) {
	if !codeForm.MatchString(string(code)) {
		f := c.fault("MSH0118", "%q is not the code of a finding", string(code))
		*f = f.WithHelp("write one code as findings show it, such as MSH2107; codes have no globs")
		return
	}
	if !code.Waivable() {
		f := c.fault("MSH0904", "%s cannot be waived", code)
		*f = f.WithEffect("the waiver counts for nothing: the findings stay").
			WithHelp("mend what the finding is about: `meshc explain %s`", code)
	}
}

// said is a text that says something.
func (c *cursor) said() string {
	s := strings.TrimSpace(c.text())
	if c != nil && s == "" {
		f := c.fault("MSH0118", "a blank says nothing")
		*f = f.WithHelp("who reads it later wants to know why, and whom to ask")
	}
	return s
}

// glob is a pattern of names.
func (c *cursor) glob() string {
	s := c.text()
	if _, err := path.Match(s, ""); err != nil {
		f := c.fault("MSH0118", "%q is not a pattern of names", s)
		*f = f.WithHelp("* stands for any text, ? for any letter, [ab] for one of several")
	}
	return s
}

// Everything tells whether no part of the target is written out.
func (t WaiverTarget) Everything() bool {
	open := func(s string) bool { return strings.ContainsAny(s, `*?[`) }
	return open(t.Kind) && open(t.Name) && (t.Namespace == "" || open(t.Namespace))
}
