package golden

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/meshc/meshc/compiler/bundle"
)

// build compiles and packs files that have no errors.
func build(t *testing.T, files map[string][]byte) *bundle.Bundle {
	t.Helper()
	tree, result, findings := compile(t, files, "")
	if result.Plan == nil {
		t.Fatalf("no plan:\n%s", render(t, findings, tree.Text))
	}
	b, err := bundle.Pack(bundle.Input{Mesh: result.Mesh, Plan: result.Plan, Findings: findings})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// plainStories are the stories that compile and have no kustomization, whose
// documents may therefore stand in any file.
func plainStories(t *testing.T) map[string]map[string][]byte {
	t.Helper()
	paths, err := filepath.Glob("testdata/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]map[string][]byte{}
	for _, path := range paths {
		s := readStory(t, path)
		kustomized := slices.ContainsFunc(slices.Collect(maps.Keys(s.inputs)), func(n string) bool { return strings.HasSuffix(n, "kustomization.yaml") })
		if _, result, _ := compile(t, s.inputs, ""); !kustomized && result.Plan != nil {
			out[filepath.Base(path)] = s.inputs
		}
	}
	if len(out) < 8 {
		t.Fatalf("only %d stories can be shuffled", len(out))
	}
	return out
}

// shuffled deals the documents out to files of other names in another order.
func shuffled(files map[string][]byte, r *rand.Rand) map[string][]byte {
	out := map[string][]byte{}
	docs := map[string][]string{} // by folder: a meshc.yaml names folders
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if filepath.Base(name) == "meshc.yaml" || filepath.Base(name) == "meshc.lock" {
			out[name] = files[name]
			continue
		}
		dir := filepath.Dir(name)
		docs[dir] = append(docs[dir], strings.Split(string(files[name]), "---\n")...)
	}
	for dir, all := range docs {
		r.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		for i, doc := range all {
			name := filepath.Join(dir, fmt.Sprintf("%c-%d.yaml", 'a'+rune(r.IntN(26)), i/3))
			out[name] = append(out[name], []byte("---\n"+doc)...)
		}
	}
	return out
}

// Reviewers compare digests: renaming a file or moving an object is no change.
func TestOrderAndNamesOfFilesAreNothing(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for story, files := range plainStories(t) {
		want := build(t, files)
		for range 5 {
			got := build(t, shuffled(files, r))
			if got.Manifest.PolicyDigest != want.Manifest.PolicyDigest {
				t.Errorf("%s: the policy's digest depends on the order of files", story)
			}
			if !bytes.Equal(got.Files()[bundle.PackFile], want.Files()[bundle.PackFile]) {
				t.Errorf("%s: the resources depend on the order of files", story)
			}
		}
	}
}

func TestBuiltTwiceIsEqualByteForByte(t *testing.T) {
	for story, files := range plainStories(t) {
		want, got := build(t, files).Files(), build(t, files).Files()
		for name := range want {
			if !bytes.Equal(want[name], got[name]) {
				t.Errorf("%s: %s differs between two builds of one input", story, name)
			}
		}
	}
}

// An author who moves to a newer version of SMI must see that nothing changed.
func TestVersionsOfOnePolicyAreOnePolicy(t *testing.T) {
	digests := func(withHeaders bool) []string {
		var out []string
		for _, version := range slices.Sorted(maps.Keys(versions)) {
			policy := versions[version]
			switch {
			case !withHeaders:
				policy = strings.NewReplacer(", headers: {X-Role: ^admin$}", "", ", headers: [{x-role: ^admin$}]", "").Replace(policy)
			case version == "v1alpha1": // has no headers
				continue
			}
			out = append(out, build(t, map[string][]byte{"apps.yaml": []byte(versionsApps), "policy.yaml": []byte(policy)}).Manifest.PolicyDigest)
		}
		return out
	}
	plain, headed := digests(false), digests(true)
	if len(plain) != 4 || len(headed) != 3 || plain[0] == headed[0] {
		t.Fatalf("four versions, three of them with headers, which count: %v, %v", plain, headed)
	}
	if len(slices.Compact(plain)) != 1 {
		t.Errorf("v1alpha1 to v1alpha4 of one policy differ: %v", plain)
	}
	if len(slices.Compact(headed)) != 1 {
		t.Errorf("v1alpha2 to v1alpha4 of one policy with headers differ: %v", headed)
	}
}
