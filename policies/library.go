package policies

import (
	"embed"
	"io/fs"
	"maps"
	"path"
	"slices"
	"sync"

	"github.com/meshc/meshc/compiler/diag"
)

//go:embed lib/*/policy.rego lib/*/bad lib/*/good
var libraryFiles embed.FS

// LibraryPath is where the library lies in the repository; the names of its
// files in findings begin with it.
const LibraryPath = "policies/lib"

// parseLibrary reads the embedded rules. Its faults are ours: a test holds that
// there are none.
func parseLibrary() ([]*module, diag.List) {
	files, err := fs.Glob(libraryFiles, "lib/*/policy.rego")
	if err != nil {
		return nil, diag.List{crashed(diag.Span{File: LibraryPath}, "opening the library", err)}
	}
	modules := make([]*module, len(files))
	faults := make([]diag.List, len(files))
	var wg sync.WaitGroup
	for i, name := range files {
		wg.Go(func() {
			text, err := libraryFiles.ReadFile(name)
			if err != nil {
				faults[i].Add(crashed(diag.Span{File: path.Join("policies", name)}, "opening the library", err))
				return
			}
			modules[i], faults[i] = readModule(path.Join("policies", name), string(text))
		})
	}
	wg.Wait()
	var out []*module
	var found diag.List
	for i, m := range modules {
		found.Add(faults[i]...)
		if m != nil {
			m.library = true
			if m.rule != nil {
				m.rule.Library = true
			}
			out = append(out, m)
		}
	}
	return out, found
}

var parsed = sync.OnceValues(parseLibrary)

// library is the embedded rules, parsed once a process; settings may be laid over
// the copies that it gives.
func library(opts Options) ([]*module, diag.List) {
	if opts.NoLibrary {
		return nil, nil
	}
	modules, found := parsed()
	out := make([]*module, len(modules))
	for i, m := range modules {
		own := *m
		if m.rule != nil {
			rule := *m.rule
			rule.Levels = maps.Clone(m.rule.Levels)
			own.rule = &rule
		}
		out[i] = &own
	}
	return out, found
}

// LibraryRules are all rules of the library as they are without a meshc.yaml,
// the disabled ones among them, in order of code.
func LibraryRules() []*Rule {
	modules, _ := library(Options{})
	var out []*Rule
	for _, m := range modules {
		if m.rule != nil {
			out = append(out, m.rule)
		}
	}
	slices.SortFunc(out, func(a, b *Rule) int { return compareCodes(a.Code, b.Code) })
	return out
}

// LibraryFiles are the files below policies/lib that are compiled in.
func LibraryFiles() fs.FS { return libraryFiles }
