package lab

import (
	"context"
	"fmt"
	"reflect"
	"slices"

	"github.com/meshc/meshc/compiler/ir"
)

// Cell is one question of a matrix with both answers.
type Cell struct {
	Request  ir.Request
	Compiled ir.Verdict
	Live     ir.Outcome
	Observed *Observation
}

// Agrees tells whether the Envoys did what was compiled.
func (c Cell) Agrees() bool { return c.Live == c.Compiled.Outcome }

// Question reads "bookbuyer/bookbuyer to bookstore/bookstore:14001 GET /books".
func (c Cell) Question() string { return sentence(c.Request) }

// Matrix asks who may call whom: every identity that runs in the mesh, every
// service port, and on HTTP ports each request that a verdict table sends there
// (GET / where none does). Cells are in order of client, then service port.
func (l *Lab) Matrix(ctx context.Context) ([]Cell, error) {
	result := l.Compiled()
	asked, err := l.askedRequests()
	if err != nil {
		return nil, err
	}
	var cells []Cell
	for _, from := range l.clients() {
		for _, s := range result.Mesh.Services {
			for _, p := range s.Ports {
				if p.Protocol == ir.UDP {
					continue
				}
				to := ir.PortID{Service: s.ID, Port: p.Number}
				for _, http := range requestsFor(asked[to], p.Protocol) {
					if err := ctx.Err(); err != nil {
						return nil, err
					}
					cell, err := l.ask(ir.Request{From: from, To: to, HTTP: http})
					if err != nil {
						return nil, err
					}
					cells = append(cells, cell)
				}
			}
		}
	}
	return cells, nil
}

// clients are the identities of meshed pods, sorted.
func (l *Lab) clients() []ir.Identity {
	var out []ir.Identity
	for _, p := range l.Topology().Pods {
		if p.Meshed {
			out = append(out, p.Identity)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// askedRequests are the requests of the verdict tables by service port, without
// repetition.
func (l *Lab) askedRequests() (map[ir.PortID][]*ir.HTTPRequest, error) {
	result := l.Compiled()
	out := map[ir.PortID][]*ir.HTTPRequest{}
	for _, table := range result.Tables {
		for _, c := range table.Cases {
			r, err := question(result.Mesh.Settings.TrustDomain, c)
			if err != nil {
				return nil, fmt.Errorf("%s: case %q: %w", c.At, c.Name, err)
			}
			same := func(h *ir.HTTPRequest) bool { return reflect.DeepEqual(h, r.HTTP) }
			if r.HTTP != nil && !slices.ContainsFunc(out[r.To], same) {
				out[r.To] = append(out[r.To], r.HTTP)
			}
		}
	}
	return out, nil
}

func requestsFor(asked []*ir.HTTPRequest, p ir.Protocol) []*ir.HTTPRequest {
	switch {
	case !p.IsHTTP():
		return []*ir.HTTPRequest{nil}
	case len(asked) == 0:
		return []*ir.HTTPRequest{{Method: "GET", Path: "/"}}
	}
	return asked
}

// ask puts one question to the IR and to the Envoys.
func (l *Lab) ask(r ir.Request) (Cell, error) {
	cell := Cell{Request: r, Compiled: ir.Decide(l.Compiled().Mesh, r)}
	n := 1
	if len(cell.Compiled.Leaves) > 1 {
		n = leafRequests
	}
	observed, err := l.Request(r, n)
	if err != nil {
		return cell, err
	}
	cell.Observed = observed
	cell.Live, _ = observed.Outcome()
	return cell, nil
}

// TestTree brings a lab up for its verdict tables alone, runs them, and takes it
// down again.
func TestTree(ctx context.Context, opts Options) (Report, error) {
	l, err := Up(ctx, opts)
	if err != nil {
		return Report{}, err
	}
	report, err := l.Test(ctx)
	if down := l.Down(); err == nil {
		err = down
	}
	return report, err
}
