package main

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"

	"github.com/meshc/meshc/compiler/source"
	"github.com/meshc/meshc/compiler/syntax"
	"github.com/meshc/meshc/gitops/oci"
)

// pushContracts puts the contracts in a folder into a registry, and nothing else that
// lies there.
func pushContracts(ctx context.Context, s streams, dir string, to oci.Reference) error {
	files := map[string][]byte{}
	names, err := contractFiles(dir)
	if err != nil {
		return input(err)
	}
	for _, rel := range names {
		name := filepath.Join(filepath.FromSlash(dir), filepath.FromSlash(rel))
		data, err := os.ReadFile(name)
		if err != nil {
			return input(err)
		}
		if held, _ := syntax.Parse(source.FromMap(map[string][]byte{name: data})); len(held.Contracts) > 0 {
			files[rel] = data
		}
	}
	at, err := oci.PushFiles(ctx, files, oci.Contracts, map[string]string{"org.opencontainers.image.created": "1970-01-01T00:00:00Z"}, to)
	if err != nil {
		return input(fmt.Errorf("%s: %w", to, err))
	}
	fmt.Fprintf(s.Out, "%s: %s\n", at, plural(len(files), "contract"))
	return nil
}

// contractFiles are the files in a folder, and in those for environments in it, that
// may be contracts, with slashes and from the folder. Its own name may hold anything.
func contractFiles(dir string) ([]string, error) {
	var out []string
	fsys := os.DirFS(filepath.FromSlash(dir))
	for _, pattern := range []string{"*.yaml", "*/*.yaml"} {
		found, err := fs.Glob(fsys, pattern)
		if err != nil {
			return nil, err
		}
		out = append(out, found...)
	}
	return out, nil
}

// pulledContracts are the contracts that a registry holds; positions in them are
// named by the reference with its digest.
func pulledContracts(ref string, from registryFlags) (*source.Tree, error) {
	to, err := from.reference(ref)
	if err != nil {
		return nil, err
	}
	a, at, err := oci.Fetch(context.Background(), to, oci.Contracts)
	var files map[string][]byte
	if err == nil {
		files, err = a.Files(oci.Contracts)
	}
	if err != nil {
		return nil, input(fmt.Errorf("--contract %s: %w", ref, err))
	}
	named := map[string][]byte{}
	for name, data := range files {
		if ext := path.Ext(name); ext == ".yaml" || ext == ".yml" {
			named[at.String()+"/"+name] = data
		}
	}
	return source.FromMap(named), nil
}
