package bundle

import (
	"strings"

	"github.com/meshc/meshc/compiler/diag"
)

// plainFindings reads the findings' file as encodeFindings writes it; ok is false
// when it is another.
func plainFindings(content []byte) (found []storedFinding, ok bool) {
	const start = "\n" + `{"severity":`
	p := &plain{in: string(content)}
	p.take(`{"findings": [`)
	found = make([]storedFinding, 0, strings.Count(p.in, start))
	for more := !strings.HasPrefix(p.in[p.at:], "\n]"); more; {
		if !strings.HasPrefix(p.in[p.at:], start) {
			return nil, false
		}
		p.at++
		var f storedFinding
		plainFinding(p, &f)
		found = append(found, f)
		if more = p.peek() == ','; more {
			p.at++
		}
	}
	p.take("\n]}\n")
	return found, !p.declined && p.at == len(p.in)
}

func plainFinding(p *plain, f *storedFinding) {
	o := p.object()
	member(&o, "severity", &f.Severity, plainText)
	member(&o, "code", &f.Code, plainText)
	member(&o, "title", &f.Title, plainText)
	member(&o, "message", &f.Message, plainText)
	member(&o, "effect", &f.Effect, plainText)
	member(&o, "help", &f.Help, plainText)
	member(&o, "object", &f.Object, plainObject)
	member(&o, "path", &f.Path, plainText)
	member(&o, "locations", &f.Locations, plainLocations)
	member(&o, "related", &f.Related, plainLocations)
	member(&o, "fixes", &f.Fixes, plainFixes)
	member(&o, "fingerprint", &f.Fingerprint, plainText)
	member(&o, "waiver", &f.Waiver, plainWaiver)
	member(&o, "baseline", &f.Known, plainBool)
	o.end()
}

var plainObject = pointer(func(p *plain, v *diag.Object) {
	o := p.object()
	member(&o, "group", &v.Group, plainText)
	member(&o, "kind", &v.Kind, plainText)
	member(&o, "namespace", &v.Namespace, plainText)
	member(&o, "name", &v.Name, plainText)
	o.end()
})

var plainWaiver = pointer(func(p *plain, v *diag.Waiver) {
	o := p.object()
	member(&o, "reason", &v.Reason, plainText)
	member(&o, "owner", &v.Owner, plainText)
	member(&o, "expires", &v.Expires, plainText)
	o.end()
})

func plainLocations(p *plain, v *[]diag.Location) { elements(p, v, plainLocation) }

func plainLocation(p *plain, v *diag.Location) {
	o := p.object()
	plainSpan(&o, &v.Span)
	member(&o, "label", &v.Label, plainText)
	o.end()
}

func plainSpan(o *object, v *diag.Span) {
	member(o, "file", &v.File, plainText)
	member(o, "line", &v.Line, plainInt)
	member(o, "column", &v.Col, plainInt)
	member(o, "endLine", &v.EndLine, plainInt)
	member(o, "endColumn", &v.EndCol, plainInt)
}

func plainFixes(p *plain, v *[]diag.Fix) { elements(p, v, plainFix) }

func plainFix(p *plain, v *diag.Fix) {
	o := p.object()
	member(&o, "title", &v.Title, plainText)
	member(&o, "edits", &v.Edits, func(p *plain, v *[]diag.Edit) { elements(p, v, plainEdit) })
	o.end()
}

func plainEdit(p *plain, v *diag.Edit) {
	o := p.object()
	plainSpan(&o, &v.Span)
	member(&o, "newText", &v.NewText, plainText)
	o.end()
}
