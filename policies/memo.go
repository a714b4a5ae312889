package policies

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"sync"

	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/source"
	"github.com/meshc/meshc/compiler/syntax"
)

// memo holds the judges that were loaded last, by the digest of all that they
// were made of: a process that compiles again and again compiles its rules once.
var memo struct {
	sync.Mutex
	entries []memoEntry // the latest last
}

type memoEntry struct {
	key   [sha256.Size]byte
	judge *Judge
	found diag.List
}

const memoSize = 8

// For is the judge of a tree: the library and the tree's own rules, as its
// meshc.yaml sets them.
func For(tree *source.Tree, config *syntax.Config) (*Judge, diag.List) {
	key := keyOf(tree)
	memo.Lock()
	defer memo.Unlock()
	if i := slices.IndexFunc(memo.entries, func(e memoEntry) bool { return e.key == key }); i >= 0 {
		e := memo.entries[i]
		memo.entries = append(slices.Delete(memo.entries, i, i+1), e)
		return e.judge, slices.Clone(e.found)
	}
	judge, found := Load(Options{Files: tree.Rules, Config: config})
	found.Add(empty(tree, config)...)
	if len(memo.entries) == memoSize {
		memo.entries = slices.Delete(memo.entries, 0, 1)
	}
	memo.entries = append(memo.entries, memoEntry{key, judge, found})
	return judge, slices.Clone(found)
}

func keyOf(tree *source.Tree) (key [sha256.Size]byte) {
	h := sha256.New()
	add := func(f *source.File) { fmt.Fprintf(h, "%d %s %d %s", len(f.Path), f.Path, len(f.Data), f.Data) }
	fmt.Fprintf(h, "%q", tree.Environment)
	if tree.Config != nil {
		add(tree.Config)
	}
	for _, f := range tree.Rules {
		add(f)
	}
	h.Sum(key[:0])
	return key
}

// empty reports folders that were named and hold no rule.
func empty(tree *source.Tree, config *syntax.Config) diag.List {
	if config == nil || config.Object == nil || len(config.Rules.Dirs) == 0 || len(tree.Rules) > 0 ||
		slices.ContainsFunc(config.Rules.Dirs, source.IsRuleSet) { // these have findings of their own
		return nil
	}
	path := []any{"spec", "rules", "dirs"}
	return diag.List{diag.New(CodeNoRules, config.Object.At(path...), "no file that ends in .rego lies in %q", config.Rules.Dirs).
		WithEffect("none of your rules was applied").
		WithHelp("`meshc policy new` makes a rule to start from").
		About(config.Object.Ref(), syntax.PathText(path))}
}
