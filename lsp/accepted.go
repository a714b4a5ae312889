package lsp

import (
	"bytes"
	"io/fs"
	"path"
	"time"

	"github.com/meshc/meshc/compiler"
	"github.com/meshc/meshc/compiler/baseline"
	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/compiler/source"
)

// accept holds the mesh against the baseline in its folder, as `meshc check --baseline`
// does, and gives what is wrong with that file. Another text of it begins anew.
func (p *project) accept(fsys fs.FS, tree *source.Tree, now time.Time) diag.List {
	if p.baseline == "" || tree.Config == nil {
		return nil
	}
	name := path.Join(tree.Dir(), p.baseline)
	data, err := fs.ReadFile(fsys, name)
	if err != nil {
		data = nil // this mesh has none
	}
	var base *baseline.Baseline
	var faults diag.List
	if data != nil {
		base, faults = baseline.Parse(name, data)
		tree.Keep(name, data)
	}
	if !bytes.Equal(data, p.accepted) {
		p.accepted = data
		p.session = compiler.NewSession(ir.Known{}, compiler.Options{Now: now, NoPlan: true, Baseline: base})
	}
	return faults
}
