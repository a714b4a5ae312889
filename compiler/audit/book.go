package audit

import (
	"maps"
	"slices"
	"strings"

	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/source"
	"github.com/meshc/meshc/compiler/syntax"
	"github.com/meshc/meshc/policies"
)

// Book is the users' rule sets by name. One with a fault is not judged by: the form of
// it that was accepted last is, until it is mended or taken away. It belongs to one
// goroutine.
type Book struct {
	sets   map[string]*Set
	config *syntax.Config
	judge  *policies.Judge
	found  diag.List
	stale  bool // something changed since the judge was made
}

// Set is a rule set. Files are in order of path; all lie below its name.
type Set struct {
	Wanted   []*source.File
	Accepted []*source.File // the last form without a fault; nil: there was none
	Found    diag.List      // why what is wanted is not judged by
	failed   diag.List      // of fetching it: there is no wanted form
}

// Put gives a set another form. failed says why there is none: then nothing is known
// of what is wanted.
func (b *Book) Put(name string, files []*source.File, failed diag.List) {
	if b.sets == nil {
		b.sets = map[string]*Set{}
	}
	s := b.sets[name]
	if s == nil {
		s = &Set{}
		b.sets[name] = s
	}
	b.stale = b.stale || !slices.EqualFunc(s.Wanted, files, sameFile) || len(s.failed)+len(failed) > 0
	s.Wanted, s.failed = files, failed
}

// Recall gives a set that is refused the form that was accepted elsewhere or earlier.
func (b *Book) Recall(name string, files []*source.File) {
	if s := b.sets[name]; s != nil && s.Accepted == nil {
		s.Accepted, b.stale = files, true
	}
}

// Remove takes a set away.
func (b *Book) Remove(name string) {
	if _, had := b.sets[name]; had {
		delete(b.sets, name)
		b.stale = true
	}
}

// Names are the names of the sets, in order.
func (b *Book) Names() []string { return slices.Sorted(maps.Keys(b.sets)) }

// Set is a set; nil if there is none of that name.
func (b *Book) Set(name string) *Set { return b.sets[name] }

// Refused tells whether what is wanted of a set is not what it judges by.
func (s *Set) Refused() bool { return len(s.Found) > 0 }

// Judge is the judge of the library and of the sets, as a Mesh sets them; the findings
// are about its settings. It is the same while nothing changes.
func (b *Book) Judge(config *syntax.Config) (*policies.Judge, diag.List) {
	if b.judge != nil && !b.stale && sameRules(b.config, config) {
		return b.judge, b.found
	}
	use := map[string][]*source.File{}
	for name, s := range b.sets {
		if use[name], s.Found = s.Wanted, s.failed; len(s.failed) > 0 {
			use[name] = s.Accepted
		}
	}
	for {
		var files []*source.File
		for _, name := range b.Names() {
			files = append(files, use[name]...)
		}
		b.judge, b.found = policies.Load(policies.Options{Files: files, Config: config})
		if !b.putBack(use) {
			break
		}
	}
	for name, s := range b.sets {
		if !s.Refused() {
			s.Accepted = use[name]
		}
	}
	b.config, b.stale = config, false
	return b.judge, b.found
}

// putBack takes the sets with faults back to what was accepted last, and leaves out
// those that were never. The faults of settings stay in found.
func (b *Book) putBack(use map[string][]*source.File) bool {
	blamed, left := map[string]diag.List{}, diag.List{}
	for _, f := range b.found {
		name, ok := b.of(f.At().File)
		if !ok || !policies.Failed(diag.List{f}) {
			left = append(left, f)
			continue
		}
		// Of two sets that do not go together, the newcomer is the one at fault.
		if s := b.sets[name]; len(f.Related) > 0 && s.Accepted != nil && slices.EqualFunc(use[name], s.Accepted, sameFile) {
			if other, ok := b.of(f.Related[0].File); ok && !slices.EqualFunc(use[other], b.sets[other].Accepted, sameFile) {
				name = other
			}
		}
		blamed[name] = append(blamed[name], f)
	}
	b.found = left
	changed := false
	for name, found := range blamed {
		s := b.sets[name]
		s.Found.Add(found...)
		instead := s.Accepted
		if slices.EqualFunc(use[name], s.Accepted, sameFile) {
			instead = nil
		}
		changed = changed || len(use[name]) > 0
		use[name] = instead
	}
	return changed
}

// of is the set that a file belongs to.
func (b *Book) of(file string) (string, bool) {
	for name := range b.sets {
		if strings.HasPrefix(file, name+"/") {
			return name, true
		}
	}
	return "", false
}

func sameFile(a, b *source.File) bool { return a.Path == b.Path && string(a.Data) == string(b.Data) }

// sameRules tells whether two configurations set rules alike.
func sameRules(a, b *syntax.Config) bool { return a == b }
