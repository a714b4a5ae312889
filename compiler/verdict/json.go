package verdict

import (
	"io"

	"github.com/meshc/meshc/compiler/ir"
)

// report is a run as JSON. Its field names are a promise to readers.
type report struct {
	Cases  []caseJSON `json:"cases"`
	Total  int        `json:"total"`
	Failed int        `json:"failed"`
}

type caseJSON struct {
	Table    string      `json:"table"`
	Name     string      `json:"name,omitempty"`
	File     string      `json:"file,omitempty"`
	Line     int         `json:"line,omitempty"`
	Question string      `json:"question"`
	Expect   string      `json:"expect"`
	Passed   bool        `json:"passed"`
	Mesh     *Answer     `json:"mesh,omitempty"`
	Compiled *Answer     `json:"configuration,omitempty"`
	Live     *liveJSON   `json:"envoys,omitempty"`
	Faults   []faultJSON `json:"faults,omitempty"`
}

type faultJSON struct {
	In      Column `json:"in"`
	Message string `json:"message"`
}

type liveJSON struct {
	Outcome  ir.Outcome     `json:"outcome"`
	Requests int            `json:"requests"`
	Statuses []int          `json:"statuses,omitempty"`
	By       []string       `json:"by,omitempty"`
	Shares   map[string]int `json:"shares,omitempty"`
}

// Answer is a verdict as JSON.
type Answer struct {
	Outcome ir.Outcome   `json:"outcome"`
	Status  int          `json:"status,omitempty"`
	By      []string     `json:"by,omitempty"`
	Reason  string       `json:"reason"`
	Near    []string     `json:"near,omitempty"`
	Leaves  []AnswerLeaf `json:"leaves,omitempty"`
}

// AnswerLeaf is a leaf of a verdict as JSON.
type AnswerLeaf struct {
	Service string     `json:"service"`
	Account string     `json:"account,omitempty"`
	Weight  uint32     `json:"weight"`
	Outcome ir.Outcome `json:"outcome"`
	Status  int        `json:"status,omitempty"`
	By      []string   `json:"by,omitempty"`
	Reason  string     `json:"reason"`
}

// NewAnswer is a verdict as JSON has it.
func NewAnswer(v ir.Verdict) Answer {
	a := Answer{Outcome: v.Outcome, Status: v.Status, By: v.By, Reason: v.Reason, Near: v.Near}
	for _, l := range v.Leaves {
		a.Leaves = append(a.Leaves, AnswerLeaf{
			Service: l.Service.String(), Account: string(l.Account), Weight: l.Weight,
			Outcome: l.Outcome, Status: l.Status, By: l.By, Reason: l.Reason,
		})
	}
	return a
}

// JSON writes a run as one JSON document.
func JSON(w io.Writer, cases []Case) error { return JSONWith(w, cases, nil) }

func newReport(cases []Case) report {
	out := report{Cases: []caseJSON{}, Total: len(cases)}
	for i := range cases {
		c := &cases[i]
		if c.Failed() {
			out.Failed++
		}
		out.Cases = append(out.Cases, c.json())
	}
	return out
}

func (c *Case) json() caseJSON {
	out := caseJSON{
		Table: c.Table, Name: c.Name, File: c.At.File, Line: c.At.Line,
		Question: Sentence(c.Request), Expect: c.Want.Expect, Passed: !c.Failed(),
	}
	if c.Mesh.Outcome != "" {
		mesh, compiled := NewAnswer(c.Mesh), NewAnswer(c.Compiled)
		out.Mesh, out.Compiled = &mesh, &compiled
	}
	if l := c.Live; l != nil {
		out.Live = &liveJSON{l.Outcome, l.Requests, l.Statuses, l.By, l.Shares}
	}
	for _, f := range c.Faults {
		out.Faults = append(out.Faults, faultJSON(f))
	}
	return out
}
