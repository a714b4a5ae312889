package syntax

import (
	"bytes"
	"cmp"
	"slices"

	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/source"
)

// Waivers are all there are: those of meshc.yaml, then those of objects of kind
// Waivers in order of position, then comments, where meshc.yaml lets them count.
func (s *Session) Waivers() []Waiver {
	out := slices.Clone(s.config.Waivers)
	var objects []*Object
	for _, same := range s.waived {
		objects = append(objects, same...)
	}
	slices.SortFunc(objects, comparePositions)
	for _, o := range objects {
		if o.Waivers != nil {
			out = append(out, o.Waivers.List...)
		}
	}
	if s.config.Rules.CommentWaivers {
		for _, r := range s.remarks() {
			if len(r.faults) == 0 {
				out = append(out, r.Waiver)
			}
		}
	}
	return out
}

// remarks are the comments that are waivers, in order of position.
func (s *Session) remarks() []remark {
	var out []remark
	for _, f := range s.files {
		out = append(out, f.remarks...)
	}
	slices.SortStableFunc(out, func(a, b remark) int {
		return cmp.Or(cmp.Compare(a.At.File, b.At.File), cmp.Compare(a.At.Line, b.At.Line), cmp.Compare(a.At.Col, b.At.Col))
	})
	return out
}

// judgeRemarks finds fault with comments: with each where they do not count.
func (s *Session) judgeRemarks() {
	var found diag.List
	for _, r := range s.remarks() {
		if s.config.Rules.CommentWaivers {
			found.Add(r.faults...)
			continue
		}
		found.Add(diag.New("MSH0908", r.At, "comments are no waivers here").
			WithEffect("the comment waives nothing").
			WithHelp("write it under `waivers` in meshc.yaml or in an object of kind Waivers (`meshc waive` does), or let comments count: rules: {commentWaivers: true}"))
	}
	if len(found) > 0 || len(s.marked.Batches) > 0 {
		s.marked = &diag.Section{}
		if len(found) > 0 {
			s.marked.Batches = []*diag.List{&found}
		}
	}
}

// remarksOfBases finds the comments in the files of kustomizations: what is
// rendered of them has none, and findings point into the files.
func remarksOfBases(tree *source.Tree) []remark {
	read := map[string]bool{}
	for _, f := range slices.Concat(tree.Files, tree.Rules) {
		read[f.Path] = true
	}
	var out []remark
	for _, name := range tree.Names() {
		data, _ := tree.Text(name)
		if read[name] || tree.Config != nil && tree.Config.Path == name || !bytes.Contains(data, []byte(waiverMark)) {
			continue
		}
		text, _ := source.Clean(name, data)
		docs, _ := source.Split(name, text, tree.Limits.Documents)
		for _, doc := range docs {
			root, _ := doc.Parse()
			out = append(out, remarks(doc, root)...)
		}
		out = append(out, strays(name, text, docs)...)
	}
	return out
}
