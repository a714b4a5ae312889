package live

import (
	"sync"
	"time"

	"github.com/meshc/meshc/compiler"
	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/source"
	"github.com/meshc/meshc/compiler/syntax"
	"github.com/meshc/meshc/compiler/waive"
	"github.com/meshc/meshc/policies"
)

// judging is the rules in Rego, and the state of the mesh that they see: the one before
// the change that is judged. They judge at admission alone: what is in force is not
// taken out of it because a rule is stricter today.
type judging struct {
	judge  func() *policies.Judge
	world  func() *policies.World
	result *compiler.Result
	now    time.Time
}

// judgingOf prepares to judge by a state. Rules and documents are made when something
// is first judged: most changes of a mesh are no admissions.
func (l *Live) judgingOf(r *compiler.Result, before *judging) *judging {
	j := &judging{result: r, now: time.Now()}
	if before != nil && before.result.Config == r.Config {
		j.judge = before.judge
	} else {
		j.judge = sync.OnceValue(func() *policies.Judge {
			judge, _ := policies.Load(policies.Options{Config: r.Config}) // what is wrong with settings is told of the Mesh
			return judge
		})
	}
	j.world = sync.OnceValue(func() *policies.World {
		return policies.NewWorld(l.policy.session.Files(), r.Mesh, r.Inventory, j.now)
	})
	return j
}

// object is what the rules that judge single objects find with a policy object.
func (j *judging) object(path string, data []byte) diag.List {
	files, _ := syntax.Parse(source.FromMap(map[string][]byte{path: data}))
	var found diag.List
	for _, o := range files.Objects {
		if !o.Invalid {
			found = append(found, j.judge().Object(j.world(), o, policies.Admission)...)
		}
	}
	rules := j.result.Config.Rules
	found = waive.Mark(found, j.result.Waivers, rules.MaxWaiver, j.now)
	return waive.Severities(found, rules.Severity)
}
