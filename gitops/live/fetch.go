package live

import (
	"context"
	"maps"
	"path"
	"reflect"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/source"
	"github.com/meshc/meshc/compiler/syntax"
	"github.com/meshc/meshc/policies"
)

// RuleSets gives the files of a rule set in a registry, by slash path, if it is pinned,
// whole and signed by one of its keys; else findings say why not.
type RuleSets func(context.Context, source.RuleSet) (map[string][]byte, diag.List)

// fetchedSet is a rule set of a registry, or why it is not at hand.
type fetchedSet struct {
	files  []*source.File
	failed diag.List
	trust  []*source.File // that it was held against
	again  time.Time      // when the registry is asked again; zero: a digest has one content
}

// Times of registries of rules.
const (
	fetchTick  = time.Second
	fetchRetry = 30 * time.Second
	fetchWall  = time.Minute
)

// fetchRules fetches the rule sets that the Mesh names, until ctx ends. A registry that
// does not answer holds up nothing.
func (l *Live) fetchRules(ctx context.Context) {
	tick := time.NewTicker(fetchTick)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		l.mu.Lock()
		config, before := l.rulebook.config, maps.Clone(l.rulebook.fetched)
		l.mu.Unlock()
		now := l.fetchAll(ctx, config, before)
		if ctx.Err() != nil || reflect.DeepEqual(before, now) {
			continue
		}
		l.mu.Lock()
		l.rulebook.fetched = now
		l.mu.Unlock()
		l.recheck()
	}
}

func (l *Live) fetchAll(ctx context.Context, config *syntax.Config, before map[string]fetchedSet) map[string]fetchedSet {
	now := map[string]fetchedSet{}
	if config == nil {
		return now
	}
	for _, ref := range config.Rules.Dirs {
		if !source.IsRuleSet(ref) {
			continue
		}
		set := source.RuleSet{Ref: ref, At: diag.Span{File: source.ConfigName, Line: 1, Col: 1}}
		var missing diag.List
		set.Trust, missing = l.trusted(set, config.Rules.Trust)
		old, had := before[ref]
		if had && reflect.DeepEqual(old.trust, set.Trust) && len(missing) == 0 && (old.again.IsZero() || time.Now().Before(old.again)) {
			now[ref] = old
			continue
		}
		next := fetchedSet{trust: set.Trust, failed: missing}
		if len(missing) == 0 {
			next.files, next.failed = l.fetchSet(ctx, set)
		}
		if len(next.failed) > 0 {
			next.again = time.Now().Add(fetchRetry)
		}
		now[ref] = next
	}
	return now
}

func (l *Live) fetchSet(ctx context.Context, set source.RuleSet) ([]*source.File, diag.List) {
	if l.opts.RuleSets == nil {
		return nil, diag.List{diag.New(policies.CodeNotAtHand, set.At, "this control plane fetches no rule sets").WithEffect("the mesh is not judged by %q", set.Ref)}
	}
	ctx, cancel := context.WithTimeout(ctx, fetchWall)
	defer cancel()
	files, failed := l.opts.RuleSets(ctx, set)
	var out []*source.File
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if path.Ext(name) == ruleExt {
			out = append(out, &source.File{Path: set.Ref + "/" + name, Data: files[name]})
		}
	}
	return out, failed
}

// trusted are the keys that rules.trust names: a file there is a key of that name in a
// ConfigMap of rules.
func (l *Live) trusted(set source.RuleSet, names []string) ([]*source.File, diag.List) {
	store, ok := l.stores[rulesStore]
	if !ok {
		return nil, nil
	}
	var out []*source.File
	var missing diag.List
	for _, name := range names {
		var key *source.File
		for _, id := range slices.Sorted(slices.Values(store.GetStore().ListKeys())) {
			o, _, _ := store.GetStore().GetByKey(id) // stores in memory do not fail
			u, ok := o.(*unstructured.Unstructured)
			if !ok {
				continue
			}
			if text, has, _ := unstructured.NestedString(u.Object, "data", path.Base(name)); has && key == nil {
				key = &source.File{Path: name, Data: []byte(text)}
			}
		}
		if key == nil {
			missing.Add(diag.New(policies.CodeUntrusted, set.At, "nobody can vouch for %q: the key %q is in no ConfigMap", set.Ref, path.Base(name)).
				WithEffect("the mesh is not judged by these rules; that is no pass").
				WithHelp("put it under that name into a ConfigMap with the label %s, in the control plane's namespace", labelRules))
			continue
		}
		out = append(out, key)
	}
	return out, missing
}
