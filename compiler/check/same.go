package check

import "github.com/meshc/meshc/compiler/ir"

func sameGrants(a, b []ir.Grant) bool { return ir.EqualBy(a, b, ir.SameGrant) }

func sameSplit(a, b ir.Split) bool { return ir.SameSplit(&a, &b) }
