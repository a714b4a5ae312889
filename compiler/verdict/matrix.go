package verdict

import (
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/compiler/syntax"
)

// Matrix is who may call whom: a row for each client, a column for each service
// port.
type Matrix struct {
	From  []ir.Identity
	To    []ir.PortID
	Cells [][]Cell // by row, then column
}

// Cell is a client and a service port with the outcome of each request asked.
type Cell struct{ Outcomes []ir.Outcome }

// NewMatrix asks of every client and every service port. On HTTP ports the
// requests are those that the tables send there, GET / where none does. decide
// gives the answers: the mesh's, the configuration's or real proxies'.
func NewMatrix(mesh *ir.Mesh, tables []*syntax.VerdictTable, decide func(ir.Request) (ir.Outcome, error)) (*Matrix, error) {
	m := &Matrix{From: clients(mesh)}
	asked := askedRequests(tables)
	for _, s := range mesh.Services {
		for _, p := range s.Ports {
			if p.Protocol != ir.UDP {
				m.To = append(m.To, ir.PortID{Service: s.ID, Port: p.Number})
			}
		}
	}
	for _, from := range m.From {
		var row []Cell
		for _, to := range m.To {
			var cell Cell
			for _, http := range requestsFor(mesh, asked, to) {
				o, err := decide(ir.Request{From: from, To: to, HTTP: http})
				if err != nil {
					return nil, err
				}
				cell.Outcomes = append(cell.Outcomes, o)
			}
			row = append(row, cell)
		}
		m.Cells = append(m.Cells, row)
	}
	return m, nil
}

// clients are the identities that workloads run under, each once, sorted.
func clients(mesh *ir.Mesh) []ir.Identity {
	var out []ir.Identity
	for _, r := range mesh.Roles {
		out = append(out, r.Identity)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// askedRequests are the requests of tables by service port, each once.
func askedRequests(tables []*syntax.VerdictTable) map[ir.PortID][]*ir.HTTPRequest {
	out := map[ir.PortID][]*ir.HTTPRequest{}
	for _, t := range tables {
		for _, c := range t.Cases {
			r, err := Question("", c)
			if err != nil || r.HTTP == nil || r.External != "" {
				continue
			}
			if !slices.ContainsFunc(out[r.To], func(h *ir.HTTPRequest) bool { return reflect.DeepEqual(h, r.HTTP) }) {
				out[r.To] = append(out[r.To], r.HTTP)
			}
		}
	}
	return out
}

func requestsFor(mesh *ir.Mesh, asked map[ir.PortID][]*ir.HTTPRequest, to ir.PortID) []*ir.HTTPRequest {
	svc, _ := mesh.Service(to.Service)
	port, _ := svc.Port(to.Port)
	switch {
	case !port.Protocol.IsHTTP():
		return []*ir.HTTPRequest{nil}
	case len(asked[to]) == 0:
		return []*ir.HTTPRequest{{Method: "GET", Path: "/"}}
	}
	return asked[to]
}

// String is the outcome, if all requests have the same, else how many have which.
func (c Cell) String() string {
	var parts []string
	for _, o := range []ir.Outcome{ir.Allow, ir.Mixed, ir.Deny, ir.Unknown} {
		n := 0
		for _, got := range c.Outcomes {
			if got == o {
				n++
			}
		}
		switch {
		case n > 0 && n == len(c.Outcomes):
			return string(o)
		case n > 0:
			parts = append(parts, fmt.Sprintf("%s %d", o, n))
		}
	}
	return strings.Join(parts, ", ")
}

// Write writes the matrix as a table for people. beside may be nil; else it is
// the same matrix as answered by somebody else, and cells that differ show both.
func (m *Matrix) Write(w io.Writer, beside *Matrix) error {
	rows := [][]string{{"who may call"}}
	for _, to := range m.To {
		rows[0] = append(rows[0], to.String())
	}
	for i, from := range m.From {
		row := []string{from.Short()}
		for j := range m.To {
			cell := m.Cells[i][j].String()
			if beside != nil && beside.Cells[i][j].String() != cell {
				cell += " (envoys: " + beside.Cells[i][j].String() + ")"
			}
			row = append(row, cell)
		}
		rows = append(rows, row)
	}
	return writeTable(w, transposeIfWide(rows))
}

// transposeIfWide turns a table that is wider than tall, so that it fits a terminal.
func transposeIfWide(rows [][]string) [][]string {
	width := 0
	for _, cell := range rows[0] {
		width += utf8.RuneCountInString(cell) + 2
	}
	if width <= 120 || len(rows) > len(rows[0]) {
		return rows
	}
	out := make([][]string, len(rows[0]))
	for _, row := range rows {
		for j, cell := range row {
			out[j] = append(out[j], cell)
		}
	}
	out[0][0] = "who may be called by"
	return out
}

func writeTable(w io.Writer, rows [][]string) error {
	widths := make([]int, len(rows[0]))
	for _, row := range rows {
		for j, cell := range row {
			widths[j] = max(widths[j], utf8.RuneCountInString(cell))
		}
	}
	for _, row := range rows {
		var line strings.Builder
		for j, cell := range row {
			line.WriteString(cell + strings.Repeat(" ", widths[j]-utf8.RuneCountInString(cell)+2))
		}
		if _, err := fmt.Fprintln(w, strings.TrimRight(line.String(), " ")); err != nil {
			return err
		}
	}
	return nil
}
