package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/meshc/meshc/compiler/bundle/signature"
	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/source"
	"github.com/meshc/meshc/gitops/oci"
	"github.com/meshc/meshc/gitops/ruleset"
	"github.com/meshc/meshc/policies"
)

const notJudged = "the mesh is not judged by these rules; that is no pass"

// keptRules gives the rule sets that were pulled. It asks no network, so a run
// takes the same rules whenever it is repeated.
func keptRules(set source.RuleSet) (map[string][]byte, diag.List) {
	return setFiles(set, false, func(at oci.Reference) (*ruleset.Set, error) {
		keep, err := ruleset.DefaultCache()
		if err != nil {
			return nil, err
		}
		return keep.Get(at.Digest())
	})
}

// fetchedRules gives rule sets from their registries, and keeps them.
func fetchedRules(ctx context.Context, plainHTTP bool, told func(oci.Reference, *ruleset.Set)) source.RuleSets {
	return func(set source.RuleSet) (map[string][]byte, diag.List) {
		return setFiles(set, plainHTTP, func(at oci.Reference) (*ruleset.Set, error) {
			keep, err := ruleset.DefaultCache()
			if err != nil {
				return nil, err
			}
			s, at, err := ruleset.Pull(ctx, at, keep)
			if err == nil {
				told(at, s)
			}
			return s, err
		})
	}
}

// setFiles judges a reference, what it leads to and who vouches for that.
func setFiles(set source.RuleSet, plainHTTP bool, get func(oci.Reference) (*ruleset.Set, error)) (map[string][]byte, diag.List) {
	at, err := oci.Parse(set.Ref, plainHTTP)
	if err != nil || !at.Pinned() {
		f := diag.New(policies.CodeUnpinned, set.At, "%q is not pinned by a digest", set.Ref).WithEffect(notJudged)
		if err != nil {
			f.Message = err.Error()
		}
		return nil, diag.List{f.WithHelp("write the reference as `meshc policy push` or `meshc policy pull %s` prints it: oci://HOST/NAME@sha256:...", set.Ref)}
	}
	keys, found := trusted(set)
	if len(found) > 0 {
		return nil, found
	}
	s, err := get(at)
	var damaged *ruleset.DamagedError
	switch {
	case errors.As(err, &damaged):
		return nil, diag.List{diag.New(policies.CodeDamaged, set.At, "%q is no whole rule set: %v", set.Ref, err).WithEffect(notJudged).
			WithHelp("fetch it again with `meshc policy pull`; if that does not help, push it again")}
	case err != nil:
		why := "it was not pulled yet"
		if !errors.Is(err, fs.ErrNotExist) {
			why = err.Error()
		}
		return nil, diag.List{diag.New(policies.CodeNotAtHand, set.At, "the rule set %q is not at hand: %s", set.Ref, why).WithEffect(notJudged).
			WithHelp("run `meshc policy pull` on the folder of meshc.yaml: it fetches the rule sets that are named there")}
	}
	if len(keys) > 0 {
		if _, err := s.Check(keys); err != nil {
			return nil, diag.List{untrustedSet(set.At, set.Ref, err)}
		}
	}
	return s.Files(), nil
}

func untrustedSet(at diag.Span, ref string, why error) diag.Finding {
	return diag.New(policies.CodeUntrusted, at, "nobody who is trusted vouches for %q: %v", ref, why).WithEffect(notJudged).
		WithHelp("push it with --sign KEY, or trust the key of who signed it in rules.trust")
}

// trusted reads the keys in rules.trust. One that cannot be read is a finding: a
// set of keys that somebody broke must not stand as a smaller one.
func trusted(set source.RuleSet) ([]signature.Key, diag.List) {
	var out []signature.Key
	var found diag.List
	for _, f := range set.Trust {
		keys, err := signature.ParsePublic(f.Data)
		if err != nil {
			found.Add(diag.New(policies.CodeUntrusted, set.At, "nobody can vouch for %q: %q cannot be used as a public key: %v", set.Ref, f.Path, err).
				WithRelated(diag.Span{File: f.Path, Line: 1, Col: 1}, "this is to be a key").WithEffect(notJudged).
				WithHelp("write a public key there: `openssl pkey -in KEY -pubout`"))
		}
		out = append(out, keys...)
	}
	return out, found
}

// folderFiles are the files of a folder but the hidden ones, by slash path.
func folderFiles(dir string) (map[string][]byte, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	out := map[string][]byte{}
	err = fs.WalkDir(root.FS(), ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case name != "." && strings.HasPrefix(d.Name(), "."):
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		case d.IsDir():
			return nil
		case !d.Type().IsRegular():
			return fmt.Errorf("%s is no regular file", name)
		}
		text, err := fs.ReadFile(root.FS(), name)
		out[name] = append([]byte{}, text...)
		return err
	})
	return out, err
}

// writeFolder writes files to a folder that must not be there, or be empty.
func writeFolder(dir string, files map[string][]byte) error {
	entries, err := os.ReadDir(dir)
	if err == nil && len(entries) > 0 {
		return fmt.Errorf("%s is there already, and not empty", dir)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	for name, text := range files {
		name = filepath.FromSlash(name)
		if err := root.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			return err
		}
		if err := root.WriteFile(name, text, 0o644); err != nil {
			return err
		}
	}
	return nil
}
