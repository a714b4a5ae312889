package validate_test

import (
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/compiler/resolve"
	"github.com/meshc/meshc/compiler/source"
)

// Every code is told at admission as the table of stages has it, shown by a story that
// has it, or there is a reason why no object of a cluster can have it.
func TestEveryCodeIsAccountedFor(t *testing.T) {
	told := map[diag.Code]bool{}
	stories := 0
	for _, pattern := range []string{"testdata/*.txtar", "../../test/golden/testdata/*.txtar", "../../compiler/syntax/testdata/*.txtar"} {
		paths, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range paths {
			a, err := txtar.ParseFile(path)
			if err != nil {
				t.Fatal(err)
			}
			stories++
			t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar"), func(t *testing.T) { storyIsToldAlike(t, a, told) })
		}
	}
	t.Logf("%d stories, %d codes", stories, len(told))
	for _, e := range diag.Codes() {
		if _, ok := notInClusters(e.Code); !ok && !told[e.Code] && ofText[e.Code] == "" {
			t.Errorf("%s (%s; %s at admission): no story has it, and no reason is given why no object of a cluster can", e.Code, e.Title, e.Admission)
		}
	}
}

func storyIsToldAlike(t *testing.T, a *txtar.Archive, told map[diag.Code]bool) {
	fsys, texts := fstest.MapFS{}, map[string]string{}
	var known ir.Known
	for _, f := range a.Files {
		switch {
		case f.Name == "meshc.lock":
			known, _ = resolve.ParseLock(f.Name, f.Data)
		case !strings.HasPrefix(f.Name, "want") && !strings.HasPrefix(f.Name, "ask"):
			fsys[f.Name] = &fstest.MapFile{Data: f.Data, Mode: 0o644}
			if strings.HasSuffix(f.Name, ".yaml") && f.Name != source.ConfigName && !strings.Contains(string(a.Comment), "paths:") {
				texts[f.Name] = string(f.Data)
			}
		}
	}
	tree, _, err := source.LoadFS(fsys, source.Options{})
	if err != nil || tree == nil || len(tree.Builds) > 0 {
		return // what a kustomization makes is applied as it comes out of it
	}
	alike(t, tree, known, texts, told)
}

// elsewhere says of codes, by how they begin, why no policy object, Service, account or
// namespace that is applied can have them, or where else it is shown that they are told.
// The longest beginning counts; an empty reason: they can.
var elsewhere = map[string]string{
	"MSH00": "files, folders, kustomizations and texts: a cluster has objects, as JSON",
	"MSH01": "", "MSH0100": "an API server takes no document that is no object", "MSH0119": "environments are of meshc.yaml",
	"MSH0106": "an API server takes no kind that it does not know", "MSH0107": "an API server takes no version that it does not know",
	"MSH0117": "of settings in meshc.yaml", "MSH0118": "of settings in meshc.yaml", "MSH0120": "of meshc.yaml",
	"MSH02": "the lock and what is assumed are settings of who builds",
	"MSH03": "settings of the Mesh, which gitops/live judges by itself (TestAdmissionAsksTheLiveState); tables of verdicts and contracts are files",
	"MSH04": "bundles, and defects of our own", "MSH06": "about rules: told of their ConfigMap and of the Mesh (gitops/live, TestUsersRulesJudgeInTheCluster)",
	"MSH09":   "",
	"MSH0901": "of all waivers of a mesh and all that is found: told by the status", "MSH0902": "as MSH0901", "MSH0903": "as MSH0901",
	"MSH0906": "baselines are files", "MSH0907": "baselines are files", "MSH0908": "of comments", "MSH093": "of revisions",
	"MSH1": "", "MSH11": "of BreakGlass, which has decisions of its own (break_glass_test.go)", "MSH15": "rules of the library (policies, compiler/audit)", "MSH2": "", "MSH21": "rules of the library (policies, compiler/audit)",
	"MSH3": "", "MSH4": "",
	"MSH4009": "of workloads together: told when pods run otherwise than each other", "MSH4011": "of workloads",
	"MSH4017": "of objects that run workloads, which no cluster's state has", "MSH4015": "of the Mesh",
	"MSH403": "of pods: told by injection (admission/webhook)", "MSH404": "of pods: told by injection (admission/webhook)",
	"MSH41": "of the installation (meshc doctor)", "MSH45": "of catalogs", "MSH46": "of what runs, when it is linked; of meshc allow",
	"MSH5": "of how a mesh is served (gitops/live)",
}

func notInClusters(code diag.Code) (string, bool) {
	for n := len(code); n >= len("MSH1"); n-- {
		if reason, ok := elsewhere[string(code[:n])]; ok {
			return reason, reason != ""
		}
	}
	return "", false
}
