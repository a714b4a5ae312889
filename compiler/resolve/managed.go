package resolve

import (
	"slices"

	"github.com/meshc/meshc/compiler/syntax"
)

// managed tells whether Flagger or Argo Rollouts writes the split: as its owner
// says, or as the Canary or Rollout of the tree that will write it tells. Nothing
// is concluded from names alone.
func (r *resolver) managed(s *split) bool {
	return slices.ContainsFunc(s.obj.Owners, func(o syntax.TypedRef) bool {
		return o.APIGroup == "flagger.app" && o.Kind == "Canary" || o.APIGroup == "argoproj.io" && o.Kind == "Rollout"
	}) || r.canarySplit(s) || r.rolloutSplit(s)
}

// canarySplit: Flagger names the split and its root after the Canary's service,
// with NAME-primary and NAME-canary as backends.
func (r *resolver) canarySplit(s *split) bool {
	for _, o := range r.of("Canary", s.obj.Namespace) {
		if o.Canary == nil || s.root == nil {
			continue
		}
		name := or(o.Canary.ServiceName, o.Canary.TargetName)
		leaves := !slices.ContainsFunc(s.backends, func(b backend) bool {
			return b.id.Name != name && b.id.Name != name+"-primary" && b.id.Name != name+"-canary"
		})
		if s.obj.Name == name && s.root.id.Name == name && leaves {
			return true
		}
	}
	return false
}

// rolloutSplit: Argo Rollouts splits its root service, or the stable one, between
// exactly its canary and its stable service.
func (r *resolver) rolloutSplit(s *split) bool {
	for _, o := range r.of("Rollout", s.obj.Namespace) {
		if o.Workload == nil || o.Workload.CanaryService == "" {
			continue
		}
		ours := !slices.ContainsFunc(s.backends, func(b backend) bool {
			return b.id.Name != o.Workload.CanaryService && b.id.Name != o.Workload.StableService
		})
		if ours && len(s.backends) == 2 {
			return true
		}
	}
	return false
}
