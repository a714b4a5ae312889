package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/meshc/meshc/compiler/bundle"
	"github.com/meshc/meshc/compiler/diag"
	gitstore "github.com/meshc/meshc/gitops/git"
	"github.com/meshc/meshc/gitops/oci"
)

// side opens what the user named.
func (f *diffFlags) side(ctx context.Context, name string) (*diffSide, error) {
	if strings.HasPrefix(name, "http://") || strings.HasPrefix(name, "https://") {
		b, err := fetchBundle(ctx, name)
		if err != nil {
			return nil, input(err)
		}
		return bundleSide(name, b), nil
	}
	if oci.IsReference(name) {
		return f.inRegistry(ctx, name)
	}
	if rest, ok := strings.CutPrefix(name, "git:"); ok {
		return f.revision(rest)
	}
	where, isPath := strings.CutPrefix(name, "path:")
	_, err := os.Stat(where)
	if err != nil {
		if isPath || strings.HasPrefix(name, "./") || strings.HasPrefix(name, "../") || path.IsAbs(name) {
			return nil, input(fmt.Errorf("cannot read %s: %w", where, unwrapped(err)))
		}
		return f.revision(name)
	}
	if !isPath && !strings.ContainsAny(name, "/.") {
		if repo, err := gitstore.Open("."); err == nil {
			if _, err := repo.Commit(name); err == nil {
				return nil, usage(fmt.Errorf("%q is a path and a Git revision: say path:%s or git:%s", name, name, name))
			}
		}
	}
	if _, err := os.Stat(filepath.Join(where, bundle.ManifestFile)); err == nil {
		return openBundleSide(where)
	}
	return &diffSide{sideName: sideName{Name: where}, paths: []string{where}}, nil
}

// inRegistry opens a bundle in a registry.
func (f *diffFlags) inRegistry(ctx context.Context, name string) (*diffSide, error) {
	from, err := oci.Parse(name, f.registry.plainHTTP)
	if err != nil {
		return nil, usage(err)
	}
	b, _, findings, err := oci.Pull(ctx, from)
	if err != nil {
		return nil, input(err)
	}
	if b == nil {
		return nil, input(fmt.Errorf("%s is refused: %s", name, firstMessage(findings)))
	}
	return bundleSide(name, b), nil
}

func unwrapped(err error) error {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		return pe.Err
	}
	return err
}

func openBundleSide(dir string) (*diffSide, error) {
	b, findings, err := bundle.Open(dir)
	if err != nil {
		return nil, input(err)
	}
	if b == nil {
		return nil, input(fmt.Errorf("%s is refused: %s", dir, firstMessage(findings)))
	}
	return bundleSide(dir, b), nil
}

func firstMessage(l diag.List) string {
	if len(l) == 0 {
		return "it is no bundle"
	}
	return l[0].Message
}

func bundleSide(name string, b *bundle.Bundle) *diffSide {
	return &diffSide{sideName: sideName{Name: name, PolicyDigest: b.Manifest.PolicyDigest}, bundle: b}
}

// revision opens a Git revision of the repository that the working directory
// lies in.
func (f *diffFlags) revision(name string) (*diffSide, error) {
	repo, err := gitstore.Open(".")
	if errors.Is(err, gitstore.ErrNoRepository) {
		return nil, input(fmt.Errorf("cannot read %s: there is no such path, and the working directory is in no Git repository", name))
	}
	if err != nil {
		return nil, input(err)
	}
	commit, err := repo.Commit(name)
	if err != nil {
		return nil, input(fmt.Errorf("%w, and no path", err))
	}
	d := &diffSide{sideName: sideName{Name: name, Commit: commit}, repo: repo}
	paths := f.paths
	if len(paths) == 0 {
		paths = []string{"."}
	}
	for _, p := range paths {
		inside, err := within(repo.Top, p)
		if err != nil {
			return nil, usage(err)
		}
		d.paths = append(d.paths, inside)
	}
	if d.tree, err = repo.Tree(commit); err != nil {
		return nil, input(err)
	}
	return d, nil
}

// within is a path of the working directory as the repository names it.
func within(top, name string) (string, error) {
	full, err := filepath.Abs(name)
	if err != nil {
		return "", err
	}
	// The path itself may be gone; the folder it lies in tells what links mean.
	if real, err := filepath.EvalSymlinks(full); err == nil {
		full = real
	} else if real, err := filepath.EvalSymlinks(filepath.Dir(full)); err == nil {
		full = filepath.Join(real, filepath.Base(full))
	}
	if real, err := filepath.EvalSymlinks(top); err == nil {
		top = real
	}
	rel, err := filepath.Rel(top, full)
	if err != nil || !filepath.IsLocal(rel) {
		return "", fmt.Errorf("%s lies outside of the repository %s", name, top)
	}
	return filepath.ToSlash(rel), nil
}

// parting is the commit at which BASE and HEAD part.
func (f *diffFlags) parting(base string, head *diffSide) (string, error) {
	repo, err := gitstore.Open(".")
	if err != nil {
		return "", input(err)
	}
	at := head.Commit
	if at == "" {
		if head.bundle != nil {
			return "", usage(errors.New("--merge-base needs a revision, or the files as they are now, as HEAD"))
		}
		at = "HEAD"
	}
	base = strings.TrimPrefix(base, "git:")
	for _, revision := range []string{base, at} {
		if _, err := repo.Commit(revision); err != nil {
			return "", input(err)
		}
	}
	commit, err := repo.MergeBase(base, at)
	if err != nil {
		return "", input(err)
	}
	return "git:" + commit, nil
}
