package diff

import "strings"

// Line is a change, or a part of one, for people.
type Line struct {
	Effect Effect
	// Text follows the source where the change has one: "can now GET /books on ...".
	Text    string
	Example string // a request that is of it; empty where there is none
}

// Sign is one character for an effect.
func (e Effect) Sign() string {
	switch e {
	case Widened:
		return "+"
	case Narrowed:
		return "-"
	case Both:
		return "±"
	case Unknown:
		return "?"
	}
	return "~"
}

// Lines are a change in lines, one for each set of requests.
func (c Change) Lines() []Line {
	if len(c.Gained)+len(c.Lost) == 0 {
		return []Line{{Effect: c.Effect, Text: strings.TrimPrefix(c.Text, c.Source+" ")}}
	}
	to := " on " + ports(c.Ports)
	var out []Line
	add := func(r Requests, e Effect, certain, perhaps string) {
		l := Line{Effect: e, Text: certain + r.sentence(to), Example: r.Example}
		if c.Effect == Changed {
			l.Effect = Changed
		}
		if !r.Certain {
			l.Effect, l.Text = Unknown, perhaps+r.sentence(to)+": too large to compare"
		}
		for _, o := range out {
			if o == l {
				return
			}
		}
		out = append(out, l)
	}
	for _, r := range c.Gained {
		add(r, Widened, "can now ", "can now perhaps ")
	}
	for _, r := range c.Lost {
		add(r, Narrowed, "can no longer ", "can perhaps no longer ")
	}
	return out
}
