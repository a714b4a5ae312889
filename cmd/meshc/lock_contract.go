package main

import (
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/meshc/meshc/compiler"
	"github.com/meshc/meshc/compiler/contract"
	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/compiler/source"
	"github.com/meshc/meshc/compiler/syntax"
	gitstore "github.com/meshc/meshc/gitops/git"
	"github.com/meshc/meshc/gitops/oci"
)

// contractDir is the folder of contracts beside the lock.
const contractDir = "contracts"

// besideLock stands for contractDir beside the lock that is written.
const besideLock = "beside the lock"

// locked is what was pinned of a compilation, in one environment.
type locked struct {
	*compilation
	env   string
	known ir.Known
}

// writeContracts writes what the policy relies on, a file for each namespace, in a
// folder for each environment if it is to be for all, and takes away contracts on
// which it relies no more there. It gives the folder.
func writeContracts(s streams, all []locked, each bool, dir string) (string, error) {
	if dir == besideLock {
		dir = path.Join(path.Dir(all[0].Lock.Path), contractDir)
	}
	written := map[string]bool{}
	for _, l := range all {
		into := dir
		if each {
			into = path.Join(dir, l.env)
		}
		if err := os.MkdirAll(filepath.FromSlash(into), 0o755); err != nil {
			return "", input(err)
		}
		list := l.contracts()
		for _, one := range list {
			name := path.Join(into, one.Namespace+".yaml")
			written[name] = true
			if err := replaceFile(filepath.FromSlash(name), contract.Print(one)); err != nil {
				return "", input(err)
			}
		}
		fmt.Fprintf(s.Out, "%s: %s\n", into, plural(len(list), "contract"))
	}
	there := configOf(all[0].Tree).Environments
	gone := func(env string) bool { return each || env == all[0].env || !slices.Contains(there, env) }
	if err := removeContracts(dir, written, gone); err != nil {
		return "", input(err)
	}
	return dir, nil
}

// contracts are what the policy relies on, by the facts that were pinned.
func (l locked) contracts() []*contract.Contract {
	result, _ := compiler.Compile(l.Tree, l.known, compiler.Options{Now: l.Now, NoPlan: true, NoRules: true})
	files, _ := syntax.Parse(l.Tree)
	list := contract.Of(contract.Policy{
		Files: files, Mesh: result.Mesh, Known: append(append([]ir.Fact{}, result.Used.Facts...), result.Config.Assume...),
		Labels: contract.Labels(result.Inventory), File: repositoryName(l.Tree),
	})
	for _, one := range list {
		one.Environment = l.env
	}
	return list
}

// removeContracts deletes the contracts of a folder, and of those for environments
// in it, that were not written now, and nothing else that lies there. The folder of an
// other environment of meshc.yaml stays, unless this run is about it: gone tells.
func removeContracts(dir string, written map[string]bool, gone func(env string) bool) error {
	found, err := contractFiles(dir)
	if err != nil {
		return err
	}
	for _, rel := range found {
		name := filepath.Join(filepath.FromSlash(dir), filepath.FromSlash(rel))
		if written[filepath.ToSlash(name)] {
			continue
		}
		data, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		files, _ := syntax.Parse(source.FromMap(map[string][]byte{name: data}))
		if len(files.Contracts) != 1 || len(files.Objects) != 0 {
			continue
		}
		// A folder holds what its own environment is called by, and that alone.
		env, in := files.Contracts[0].Environment, filepath.Dir(name)
		if filepath.Clean(in) != filepath.Clean(filepath.FromSlash(dir)) && (env != filepath.Base(in) || !gone(env)) {
			continue
		}
		if err := os.Remove(name); err != nil {
			return err
		}
		_ = os.Remove(filepath.Dir(name)) // the folder of an environment that is gone; it fails where something is left
	}
	return nil
}

// repositoryName names the files of a tree in their repository; outside of one,
// from the folder of meshc.yaml.
func repositoryName(tree *source.Tree) func(string) string {
	dir := "."
	if tree.Config != nil {
		dir = tree.Dir()
	}
	top, err := filepath.Abs(filepath.FromSlash(dir))
	if repo, lacking := gitstore.Open(filepath.FromSlash(dir)); lacking == nil {
		top = repo.Top
	}
	if real, failed := filepath.EvalSymlinks(top); failed == nil {
		top = real
	}
	return func(name string) string {
		full, lost := filepath.Abs(filepath.FromSlash(name))
		if err != nil || lost != nil {
			return name
		}
		if real, failed := filepath.EvalSymlinks(full); failed == nil {
			full = real
		}
		rel, outside := filepath.Rel(top, full)
		if outside != nil || !filepath.IsLocal(rel) {
			return name
		}
		return filepath.ToSlash(rel)
	}
}

// openContracts reads contracts from a folder, a file, a Git revision or a registry.
func openContracts(ref string, from registryFlags) (*source.Tree, []*contract.Contract, diag.List, error) {
	if oci.IsReference(ref) {
		tree, err := pulledContracts(ref, from)
		if err != nil {
			return nil, nil, nil, err
		}
		return contractsIn(ref, tree, nil)
	}
	fsys, name, opened, err := contractPlace(ref)
	if err != nil {
		return nil, nil, nil, err
	}
	defer opened()
	var tree *source.Tree
	var found diag.List
	if fsys != nil {
		tree, found, err = source.LoadFS(fsys, source.Options{Paths: []string{name}})
	} else {
		tree, found, err = source.Load(source.Options{Paths: []string{name}})
	}
	if err != nil {
		return nil, nil, nil, input(fmt.Errorf("--contract %s: %w", ref, err))
	}
	return contractsIn(ref, tree, found)
}

func contractsIn(ref string, tree *source.Tree, found diag.List) (*source.Tree, []*contract.Contract, diag.List, error) {
	files, faults := syntax.Parse(tree)
	list, more := contract.Read(files)
	found = append(append(found, faults...), more...)
	if len(files.Contracts) == 0 && !found.HasErrors() {
		return nil, nil, nil, input(fmt.Errorf("--contract %s: there is no contract; `meshc lock --contract` writes them in the policy's repository", ref))
	}
	return tree, list, found, nil
}

// contractPlace finds a folder or file on disk, or in a repository at a revision:
// git:[REPOSITORY@]REVISION[:PATH].
func contractPlace(ref string) (fs.FS, string, func(), error) {
	nothing := func() {}
	rest, isGit := strings.CutPrefix(ref, "git:")
	if !isGit {
		name := strings.TrimPrefix(ref, "path:")
		if info, err := os.Stat(filepath.Join(name, contractDir)); err == nil && info.IsDir() {
			name = path.Join(filepath.ToSlash(name), contractDir) // the policy's repository itself
		}
		return nil, name, nothing, nil
	}
	dir := "."
	if i := strings.LastIndex(rest, "@"); i >= 0 && !strings.HasPrefix(rest[i:], "@{") {
		dir, rest = rest[:i], rest[i+1:]
	}
	revision, inside, _ := strings.Cut(rest, ":")
	if inside == "" {
		inside = contractDir
	}
	repo, err := gitstore.Open(dir)
	if err != nil {
		return nil, "", nothing, input(fmt.Errorf("--contract %s: %w", ref, err))
	}
	commit, err := repo.Commit(revision)
	if err != nil {
		return nil, "", nothing, input(fmt.Errorf("--contract %s: %w", ref, err))
	}
	tree, err := repo.Tree(commit)
	if err != nil {
		return nil, "", nothing, input(err)
	}
	return tree, path.Clean(inside), func() { _ = tree.Close() }, nil
}
