package envoy

import "github.com/meshc/meshc/compiler/ir"

func closed(plan *ir.Plan, v *validator) error { return nil }
