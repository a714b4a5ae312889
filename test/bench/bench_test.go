package bench

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"maps"
	"path/filepath"
	"slices"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/meshc/meshc/compiler"
	"github.com/meshc/meshc/compiler/bundle"
	"github.com/meshc/meshc/compiler/envoy"
	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/compiler/resolve"
	"github.com/meshc/meshc/compiler/source"
	"github.com/meshc/meshc/compiler/syntax"
)

// Figures of different days and tools are compared on one input: it must stay
// what it is, byte for byte.
func TestRefMeshStaysWhatItIs(t *testing.T) {
	files := RefMesh(1000, 64)
	h := sha256.New()
	for _, name := range slices.Sorted(maps.Keys(files)) {
		h.Write(files[name])
	}
	if got := hex.EncodeToString(h.Sum(nil)); len(files) != 64 || got != refMesh1000 {
		t.Errorf("ref-mesh(1000) has %d files and the digest %s", len(files), got)
	}
}

const refMesh1000 = "5e6ba4d8de025c05b428f4a07c58f43704c9292c5bf5befef827b3bf28b77bdc"

func TestRefMeshCompiles(t *testing.T) {
	result, findings := compiler.Compile(source.FromMap(RefMesh(200, 8)), ir.Known{}, compiler.Options{NoRules: true})
	if result.Plan == nil {
		t.Fatalf("no plan: %v", findings)
	}
	m := result.Mesh
	if len(m.Services) != 200 || len(m.Grants) != 200 || len(m.Splits) != 20 || len(m.Grants[0].Sources) != callers || len(m.Grants[0].HTTP) != 3 {
		t.Errorf("%d services, %d grants, %d splits; the first grant: %+v", len(m.Services), len(m.Grants), len(m.Splits), m.Grants[0])
	}
}

func TestLayeredIsAMeshWithHubsAndLeaves(t *testing.T) {
	s := Shape{Services: 300, Seed: 7}
	files := Layered(s, 8)
	if !maps.EqualFunc(files, Layered(s, 8), bytes.Equal) {
		t.Error("equal seeds give unequal meshes")
	}
	if s.Seed++; maps.EqualFunc(files, Layered(s, 8), bytes.Equal) {
		t.Error("the seed changes nothing")
	}
	result, findings := compiler.Compile(source.FromMap(files), ir.Known{}, compiler.Options{})
	if result.Plan == nil {
		t.Fatalf("no plan: %v", findings)
	}
	hubs, leaves := 0, 0
	for _, g := range result.Mesh.Grants {
		switch n := len(g.Sources); {
		case n > 300/4:
			hubs++
		case n == 1:
			leaves++
		}
	}
	if len(result.Mesh.Services) != 300 || hubs != 3 || leaves < 140 {
		t.Errorf("%d services, %d hubs, %d leaves", len(result.Mesh.Services), hubs, leaves)
	}
}

func onDisk(b *testing.B, n int) string {
	b.Helper()
	dir := b.TempDir()
	if err := WriteTo(dir, RefMesh(n, 64)); err != nil {
		b.Fatal(err)
	}
	return dir
}

// build is `meshc build` without the process: files in, a bundle on disk.
func build(b *testing.B, dir, out string) {
	tree, findings, err := source.Load(source.Options{Paths: []string{dir}})
	if err != nil {
		b.Fatal(err)
	}
	result, more := compiler.Compile(tree, ir.Known{}, compiler.Options{NoRules: true})
	if result.Plan == nil {
		b.Fatal(more)
	}
	packed, err := bundle.Pack(bundle.Input{Mesh: result.Mesh, Plan: result.Plan, Findings: append(findings, more...)})
	if err != nil {
		b.Fatal(err)
	}
	if err := bundle.Write(out, packed); err != nil {
		b.Fatal(err)
	}
}

func benchmarkBuild(b *testing.B, n int) {
	dir, out := onDisk(b, n), filepath.Join(b.TempDir(), "bundle")
	b.ReportAllocs()
	for b.Loop() {
		build(b, dir, out)
	}
}

func BenchmarkBuild100(b *testing.B)   { benchmarkBuild(b, 100) }
func BenchmarkBuild1000(b *testing.B)  { benchmarkBuild(b, 1000) }
func BenchmarkBuild10000(b *testing.B) { benchmarkBuild(b, 10000) }

// BenchmarkYAMLOnly1000 is the floor: the same files, decoded into nodes and
// nothing else, on one processor.
func BenchmarkYAMLOnly1000(b *testing.B) {
	files := RefMesh(1000, 64)
	b.ReportAllocs()
	for b.Loop() {
		for _, text := range files {
			d := yaml.NewDecoder(bytes.NewReader(text))
			for {
				var doc yaml.Node
				if err := d.Decode(&doc); errors.Is(err, io.EOF) {
					break
				} else if err != nil {
					b.Fatal(err)
				}
			}
		}
	}
}

// BenchmarkStages1000 says where the time of a build goes.
func BenchmarkStages1000(b *testing.B) {
	tree := source.FromMap(RefMesh(1000, 64))
	files, _ := syntax.Parse(tree)
	mesh, _, _, _ := resolve.Mesh(files, ir.Known{}, resolve.Options{})
	plan, err := envoy.Lower(mesh)
	if err != nil {
		b.Fatal(err)
	}
	packed, err := bundle.Pack(bundle.Input{Mesh: mesh, Plan: plan})
	if err != nil {
		b.Fatal(err)
	}
	for _, stage := range []struct {
		name string
		run  func() error
	}{
		{"parse", func() error { _, _ = syntax.Parse(tree); return nil }},
		{"resolve", func() error { _, _, _, _ = resolve.Mesh(files, ir.Known{}, resolve.Options{}); return nil }},
		{"lower", func() error { _, err := envoy.Lower(mesh); return err }},
		{"pack", func() error { _, err := bundle.Pack(bundle.Input{Mesh: mesh, Plan: plan}); return err }},
		{"open", func() error { _, _ = bundle.FromFiles(packed.Files()); return nil }},
	} {
		b.Run(stage.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := stage.run(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
