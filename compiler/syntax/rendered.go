package syntax

import (
	"go.yaml.in/yaml/v3"

	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/source"
)

type rendering struct{}

func (r *rendering) at(root *yaml.Node, path []any, key bool) diag.Span { return diag.Span{} }

func renderings(tree *source.Tree) []job { return nil }
