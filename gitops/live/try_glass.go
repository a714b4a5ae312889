package live

import (
	"encoding/json"
	"time"

	"github.com/meshc/meshc/compiler"
	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/syntax"
)

// tryGlass tells what a BreakGlass would be found with. Who opens something in an
// emergency is told at once that nothing would be open.
func (l *Live) tryGlass(name syntax.Name, c compiler.Change) diag.List {
	var doc record
	if c.Data == nil || json.Unmarshal(c.Data, &doc) != nil {
		return l.policy.session.Try(c)
	}
	spec, _ := doc["spec"].(record)
	meta, _ := doc["metadata"].(record)
	if meta == nil {
		return l.policy.session.Try(c)
	}
	is := diag.Object{Group: "meshc.dev", Kind: name.Kind, Namespace: name.Namespace, Name: name.Name}
	now := l.endings.now()
	created := now // how long it would be open is counted from when the cluster takes it
	u := l.stored(name)
	if u != nil {
		created = u.GetCreationTimestamp().Time
	}
	meta["creationTimestamp"] = created.UTC().Format(time.RFC3339)
	var found diag.List
	by, _ := spec["endedBy"].(string)
	until, _ := spec["until"].(string)
	end, err := time.Parse(time.RFC3339, until)
	switch over := by != "" || err == nil && !now.Before(end); {
	case over:
		doc["status"] = record{"endedAt": now.UTC().Format(time.RFC3339)}
		if by == "" && u == nil {
			found.Add(diag.New("MSH1107", diag.Span{File: c.Path}, "it was to end at %s, and it is %s", until, now.UTC().Format(time.RFC3339)).
				WithEffect("it opens nothing").About(is, "spec.until"))
		}
	case u == nil:
		found.Add(l.closedToGlass(c.Path, is)...)
	}
	data, err := json.Marshal(doc)
	if err != nil {
		return l.policy.session.Try(c)
	}
	c.Data = data
	tried, ok := l.judged(nil, c)
	if !ok { // rules that are not ready hold up no emergency
		tried = l.policy.session.Try(c)
	}
	return append(found, tried...).Sorted()
}

// closedToGlass tells why nothing can be opened in the mesh now.
func (l *Live) closedToGlass(path string, is diag.Object) diag.List {
	refuse := func(why, help string) diag.List {
		return diag.List{diag.New("MSH1108", diag.Span{File: path}, "nothing can be opened for a while: %s", why).
			WithEffect("it would open nothing").WithHelp("%s", help).About(is, "")}
	}
	if from, ok := l.bundleSource(); ok {
		return refuse("the mesh is served from "+from, "open it in the sources of that bundle, and build it; or take `bundle` out of the Mesh "+l.opts.Mesh)
	}
	if l.Suspended() {
		return refuse("the Mesh is suspended", "take `suspend` out of the Mesh "+l.opts.Mesh)
	}
	return nil
}
