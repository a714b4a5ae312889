package bundle

import (
	"bytes"
	"encoding/binary"
	"maps"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/ir"
)

// A server must read what the build wrote, to the last field.
func TestReadsWhatItWrote(t *testing.T) {
	in := sample(7)
	in.Findings = diag.List{diag.New("MSH0404", diag.Span{File: "a.yaml", Line: 3, Col: 2}, "something").WithHelp("mend it")}
	in.Revision, in.Environment, in.Judged = "main@1f3", "prod", "2026-11-22"
	in.Lock = ir.LockHeader{From: "cluster east", By: "ci", At: "2026-11-20T10:00:00Z"}
	in.Inputs = []File{NewFile("b.yaml", []byte("b")), NewFile("a.yaml", []byte("a"))}
	wrote := packed(t, in)
	read, findings := FromFiles(wrote.Files())
	if len(findings) > 0 {
		t.Fatalf("refused: %v", findings)
	}
	for name, pair := range map[string][2]any{
		"mesh": {in.Mesh, read.Mesh}, "plan": {in.Plan, read.Plan}, "findings": {in.Findings, read.Findings}, "manifest": {wrote.Manifest, read.Manifest},
	} {
		if d := cmp.Diff(pair[0], pair[1], cmpopts.EquateEmpty()); d != "" {
			t.Errorf("%s (wrote, read):\n%s", name, d)
		}
	}
	if read.Manifest.Inputs[0].Path != "a.yaml" {
		t.Error("inputs are not sorted")
	}
	for ref := range in.Plan.Resources {
		if w, r := wrote.Version(ir.Ref(ref)), read.Version(ir.Ref(ref)); w != r || r != Version(read.Any(ir.Ref(ref))) {
			t.Fatalf("resource %d: version %s when packed, %s when read", ref, w, r)
		}
	}
}

// Envoy must be able to read what is sent as it lies in the pack.
func TestPackedBytesAreAnys(t *testing.T) {
	b := packed(t, sample(2))
	for i, r := range b.Plan.Resources {
		var got anypb.Any
		if err := proto.Unmarshal(b.Any(ir.Ref(i)), &got); err != nil {
			t.Fatal(err)
		}
		if got.TypeUrl != TypeURL(r.Type) || !bytes.Equal(got.Value, r.Body) {
			t.Fatalf("%s %q is packed as %s", r.Type, r.Name, got.TypeUrl)
		}
	}
	if empty := MarshalAny(ir.TypeRoute, nil); proto.Unmarshal(empty, &anypb.Any{}) != nil {
		t.Error("an Any of an empty message cannot be read")
	}
}

func TestEqualResourcesLieOnce(t *testing.T) {
	in := sample(1)
	p := in.Plan
	before := len(packed(t, in).files[PackFile])
	p.Resources = append(p.Resources, ir.Resource{Type: p.Resources[0].Type, Name: "another name", Body: p.Resources[0].Body})
	if after := len(packed(t, in).files[PackFile]); after != before {
		t.Errorf("the pack grew from %d to %d bytes by a resource it already holds", before, after)
	}
}

// Two digests: the version of the policy, and the digest of every byte.
func TestWhatEachDigestDependsOn(t *testing.T) {
	base := packed(t, sample(3)).Manifest
	for name, c := range map[string]struct {
		change func(*Input)
		policy bool
	}{
		"nothing":     {func(*Input) {}, false},
		"revision":    {func(in *Input) { in.Revision = "v2" }, false},
		"environment": {func(in *Input) { in.Environment = "prod" }, false},
		"judged":      {func(in *Input) { in.Judged = "2026-11-23" }, false},
		"inputs":      {func(in *Input) { in.Inputs = []File{NewFile("a", nil)} }, false},
		"lock":        {func(in *Input) { in.Lock.From = "elsewhere" }, false},
		"findings":    {func(in *Input) { in.Findings.Add(diag.New("MSH0404", diag.Span{File: "a"}, "x")) }, false},
		"origins":     {func(in *Input) { in.Mesh.Origins["Service/shop/x"] = ir.Origin{Kind: "Service"} }, false},
		"ir":          {func(in *Input) { in.Mesh.Settings.Mode = ir.Audit }, true},
		"index":       {func(in *Input) { in.Plan.Late[0].Drift = "other" }, true},
		"resource":    {func(in *Input) { in.Plan.Resources[0].Body[0] ^= 1 }, true},
	} {
		in := sample(3)
		c.change(&in)
		got := packed(t, in).Manifest
		if changed := got.PolicyDigest != base.PolicyDigest; changed != c.policy {
			t.Errorf("%s: the policy's digest changed: %v", name, changed)
		}
		if changed := got.BundleDigest != base.BundleDigest; changed != (name != "nothing") {
			t.Errorf("%s: the bundle's digest changed: %v", name, changed)
		}
	}
}

// Whatever byte is lost or changed on the way, nothing of the bundle is served.
func TestEveryDamagedByteIsRefused(t *testing.T) {
	whole := packed(t, tiny()).Files()
	for name, content := range whole {
		for i := range content {
			damaged := maps.Clone(whole)
			damaged[name] = bytes.Clone(content)
			damaged[name][i] ^= 0x20
			if b, findings := FromFiles(damaged); b != nil || len(findings) == 0 {
				t.Fatalf("%s: byte %d of %d was changed, and the bundle was taken", name, i, len(content))
			}
		}
		for _, size := range []int{0, 1, len(content) / 2, len(content) - 1} {
			short := maps.Clone(whole)
			short[name] = content[:size]
			b, findings := FromFiles(short)
			if b != nil || !strings.Contains(findings[0].Message, name) {
				t.Fatalf("%s cut to %d bytes: %v", name, size, findings)
			}
		}
		lost := maps.Clone(whole)
		delete(lost, name)
		if b, findings := FromFiles(lost); b != nil || findings[0].At().File != name {
			t.Fatalf("%s missing: %v", name, findings)
		}
	}
}

func TestNamesTheDamagedResource(t *testing.T) {
	files := packed(t, sample(2)).Files()
	at := bytes.Index(files[PackFile], []byte("passthrough"))
	files[PackFile] = bytes.Clone(files[PackFile])
	files[PackFile][at] = 'P'
	_, findings := FromFiles(files)
	if got := findings[0].Message; !strings.Contains(got, `cluster "passthrough"`) || !strings.Contains(got, "at offset ") {
		t.Errorf("message: %s", got)
	}
}

func TestFormatAndFeatures(t *testing.T) {
	for name, c := range map[string]struct {
		change func(map[string]any)
		want   string
	}{
		"another major":   {func(m map[string]any) { m["format"] = map[string]int{"major": 2} }, "MSH0402"},
		"unknown feature": {func(m map[string]any) { m["requires"] = []string{FeatureRE2, "of-tomorrow"} }, "MSH0403"},
		"unknown field":   {func(m map[string]any) { m["ofTomorrow"] = map[string]int{"a": 1} }, ""},
		"minor, honest": {func(m map[string]any) {
			m["format"] = map[string]int{"major": 1, "minor": 9}
			m["policyDigest"] = "sha256:" + strings.Repeat("1", 64)
		}, "MSH0405"},
		"digest twice": {func(m map[string]any) { m["revision"] = zeroDigest }, "MSH0405"},
		"no files":     {func(m map[string]any) { m["files"] = nil }, "MSH0405 MSH0405 MSH0405 MSH0405 MSH0405"},
	} {
		files := packed(t, sample(1)).Files()
		reseal(t, files, c.change)
		if _, findings := FromFiles(files); codes(findings) != c.want {
			t.Errorf("%s: findings %q, want %q: %v", name, codes(findings), c.want, findings)
		}
	}
}

// A bundle whose digests all fit may still be hostile.
func TestHostileContentIsRefused(t *testing.T) {
	huge := binary.AppendUvarint([]byte(indexMagic), 1<<62)
	endless := append([]byte(indexMagic), bytes.Repeat([]byte{0xff}, 40)...)
	good := packed(t, sample(2))
	broken := func(change func(*ir.Plan, []entry)) []byte {
		plan, entries, _ := decodeIndex(good.files[IndexFile])
		change(plan, entries)
		return encodeIndex(entries, plan)
	}
	for name, c := range map[string]struct {
		file    string
		content []byte
	}{
		"count of strings":         {IndexFile, huge},
		"endless number":           {IndexFile, endless},
		"not an index":             {IndexFile, []byte("index")},
		"bytes left over":          {IndexFile, append(bytes.Clone(good.files[IndexFile]), 0)},
		"reference past the end":   {IndexFile, broken(func(p *ir.Plan, _ []entry) { p.Outbound[0].Listener = 1 << 20 })},
		"reference of other type":  {IndexFile, broken(func(p *ir.Plan, _ []entry) { p.Outbound[0].Listener = p.Outbound[0].Route })},
		"no listener":              {IndexFile, broken(func(p *ir.Plan, _ []entry) { p.Roles[0].Listener = ir.NoRef })},
		"scope past the end":       {IndexFile, broken(func(p *ir.Plan, _ []entry) { p.Identities[0].Scope = 99 })},
		"clusters not sorted":      {IndexFile, broken(func(p *ir.Plan, _ []entry) { p.Clusters[0], p.Clusters[1] = p.Clusters[1], p.Clusters[0] })},
		"cluster that is no more":  {IndexFile, broken(func(p *ir.Plan, _ []entry) { p.Clusters = p.Clusters[:1] })},
		"port that is no more":     {IndexFile, broken(func(p *ir.Plan, _ []entry) { p.Outbound = p.Outbound[1:] })},
		"offset past the end":      {IndexFile, broken(func(_ *ir.Plan, e []entry) { e[1].Offset = maxPack })},
		"length past the end":      {IndexFile, broken(func(_ *ir.Plan, e []entry) { e[1].Length = maxPack })},
		"length that is not there": {IndexFile, broken(func(_ *ir.Plan, e []entry) { e[1].Offset++ })},
		"another type":             {IndexFile, broken(func(_ *ir.Plan, e []entry) { e[1].Type = ir.TypeChain })},
		"a type of its own":        {IndexFile, broken(func(_ *ir.Plan, e []entry) { e[1].Type = "secret" })},
		"empty pack":               {PackFile, nil},
		"origins cut":              {OriginsFile, []byte(originsMagic)},
		"ir of another shape":      {IRFile, []byte(`{"services": 3}`)},
		"ir not sorted":            {IRFile, []byte(`{"namespaces": [{"name": "b"}, {"name": "a"}]}`)},
		"ir cut":                   {IRFile, []byte(`{"services": [`)},
		"findings of other shape":  {FindingsFile, []byte(`{"findings": [{"severity": "fatal"}]}`)},
		"finding without position": {FindingsFile, []byte(`{"findings": [{"severity": "error", "code": "MSH0401"}]}`)},
	} {
		files := good.Files()
		files[c.file] = c.content
		reseal(t, files, nil)
		b, findings := FromFiles(files)
		if b != nil || codes(findings) != "MSH0406" || !strings.Contains(findings[0].Message, "at offset ") {
			t.Errorf("%s: findings %v", name, findings)
		}
	}
}

func TestPackRefusesABrokenPlan(t *testing.T) {
	in := sample(2)
	in.Plan.Outbound[0].Clusters[0].Port = 81
	if _, err := Pack(in); err == nil || !strings.Contains(err.Error(), "shop/svc-00000:81") {
		t.Errorf("error %v", err)
	}
}
