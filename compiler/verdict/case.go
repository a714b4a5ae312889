package verdict

import (
	"fmt"

	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/compiler/syntax"
	"github.com/meshc/meshc/compiler/verify"
)

// Case is a case of a table with what became of it.
type Case struct {
	Table   string
	Name    string
	At      diag.Span
	Request ir.Request
	Want    syntax.VerdictCase
	// Mesh is what the IR means, Compiled what its configuration does.
	Mesh, Compiled ir.Verdict
	Live           *Live // what real proxies did; nil: they were not asked
	Faults         []Fault
}

// Live is what real proxies did with a case's request.
type Live struct {
	Outcome  ir.Outcome
	Requests int            // how many were sent
	Statuses []int          // that came, sorted
	By       []string       // the deciding objects, as Envoy names them
	Shares   map[string]int // requests by backend service, and "denied"
}

// Fault is a way in which a case does not hold.
type Fault struct {
	In      Column
	Message string
}

// Column is who says something else than the table, or than another column.
type Column string

// The columns of a table's run.
const (
	InMesh      Column = "mesh"
	InCompiled  Column = "configuration"
	InLive      Column = "envoys"
	InAgreement Column = "agreement" // the compiler is at fault
)

// Failed tells whether the case does not hold.
func (c *Case) Failed() bool { return len(c.Faults) > 0 }

// fault adds a sentence.
func (c *Case) fault(in Column, format string, args ...any) {
	c.Faults = append(c.Faults, Fault{in, fmt.Sprintf(format, args...)})
}

// SetLive puts what real proxies did beside the other columns, with the
// sentences on what does not hold.
func (c *Case) SetLive(live Live, faults ...string) {
	c.Live = &live
	for _, f := range faults {
		c.fault(InLive, "%s", f)
	}
}

// Run asks every case of the tables of the mesh and of the plan made of it. An
// error means that the plan cannot be interpreted: nothing was judged.
func Run(tables []*syntax.VerdictTable, mesh *ir.Mesh, plan *ir.Plan) ([]Case, error) {
	compiled, err := Compiled(mesh, plan)
	if err != nil {
		return nil, err
	}
	var out []Case
	for _, t := range tables {
		for _, want := range t.Cases {
			c := Case{Table: t.Name, Name: want.Name, At: want.At, Want: want}
			if err := c.run(mesh, compiled); err != nil {
				return nil, fmt.Errorf("%s: case %q: %w", want.At, want.Name, err)
			}
			out = append(out, c)
		}
	}
	return out, nil
}

// Compiled is the plan of a mesh as something that can be asked.
func Compiled(mesh *ir.Mesh, plan *ir.Plan) (*verify.Mesh, error) {
	ranges := append(mesh.Settings.ServiceRanges[:len(mesh.Settings.ServiceRanges):len(mesh.Settings.ServiceRanges)], mesh.Settings.PodRanges...)
	return verify.New(plan, ranges...)
}

func (c *Case) run(mesh *ir.Mesh, compiled *verify.Mesh) error {
	var err error
	if c.Request, err = Question(mesh.Settings.TrustDomain, c.Want); err != nil {
		c.fault(InMesh, "%s", err) // a finding too
		return nil
	}
	if c.Mesh, c.Compiled, err = Decide(mesh, compiled, c.Request); err != nil {
		return err
	}
	for _, m := range judge(c.Want, c.Request, c.Mesh) {
		c.fault(InMesh, "%s", m)
	}
	if d := c.Mesh.Disagreement(c.Compiled); d != "" {
		for _, m := range judge(c.Want, c.Request, c.Compiled) {
			c.fault(InCompiled, "%s", m)
		}
		c.fault(InAgreement, "%s", Defect(d))
	}
	return nil
}

// Decide asks the mesh and the configuration made of it. Of a request that the
// mesh cannot judge the configuration is not asked: it lacks the same fact.
func Decide(mesh *ir.Mesh, compiled *verify.Mesh, r ir.Request) (meant, does ir.Verdict, err error) {
	meant = ir.Decide(mesh, r)
	if meant.Outcome == ir.Unknown {
		return meant, meant, nil
	}
	does, err = compiled.Decide(r)
	return meant, does, err
}

// Defect is the sentence on a disagreement between mesh and configuration.
func Defect(disagreement string) string {
	return "the mesh means something else than its configuration does, a defect of meshc: " + disagreement
}
