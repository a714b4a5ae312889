package ci

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"
)

// rendered is what Argo CD applies before a sync: the Job, and the policy in a
// ConfigMap of the same commit.
func rendered(t *testing.T, policy map[string]string) (*batchv1.Job, *corev1.ConfigMap) {
	t.Helper()
	memory := filesys.MakeFsInMemory()
	for _, name := range []string{"kustomization.yaml", "presync.yaml"} {
		data, err := os.ReadFile(filepath.Join("argocd", name))
		if err != nil {
			t.Fatal(err)
		}
		if name == "kustomization.yaml" { // as its last lines ask for
			data = []byte(strings.Replace(uncommented(string(data)), "digest: sha256:...", "digest: "+imageDigest, 1))
		}
		if err := memory.WriteFile("/"+name, data); err != nil {
			t.Fatal(err)
		}
	}
	for name, text := range policy {
		if err := memory.WriteFile("/policy/"+name, []byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	objects, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(memory, "/")
	if err != nil {
		t.Fatal(err)
	}
	job, files := &batchv1.Job{}, &corev1.ConfigMap{}
	for _, o := range objects.Resources() {
		text, err := o.AsYAML()
		if err != nil {
			t.Fatal(err)
		}
		into := map[string]any{"Job": job, "ConfigMap": files}[o.GetKind()]
		if err := yaml.UnmarshalStrict(text, into); err != nil {
			t.Fatalf("%s: %v\n%s", o.GetKind(), err, text)
		}
	}
	return job, files
}

var imageDigest = "sha256:" + strings.Repeat("0a", 32)

// uncommented is a kustomization with the images that its user is to name.
func uncommented(text string) string {
	before, images, _ := strings.Cut(text, "# images:")
	return before + "images:" + strings.ReplaceAll(images, "\n# ", "\n")
}

// The image is built of the tree, and what it is made of is there.
func TestDockerfileBuildsTheTree(t *testing.T) {
	data, err := os.ReadFile("argocd/Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	stages := 0
	for line := range strings.Lines(string(data)) {
		word, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch word {
		case "FROM":
			stages++
		case "COPY":
			if names := strings.Fields(rest); !strings.HasPrefix(rest, "--from=build ") {
				for _, name := range names[:len(names)-1] {
					if _, err := os.Stat(filepath.Join("../..", name)); err != nil {
						t.Errorf("it copies %s: %v", name, err)
					}
				}
			}
		case "", "#", "#   docker", "WORKDIR", "RUN", "ARG", "USER", "ENTRYPOINT":
		default:
			if !strings.HasPrefix(word, "#") {
				t.Errorf("%q is no instruction", word)
			}
		}
	}
	gomod, err := os.ReadFile("../../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	if stages != 2 || !strings.Contains(string(gomod), "\ngo 1.26") || !strings.Contains(string(data), "golang:1.26 ") {
		t.Error("it builds with another Go than go.mod names")
	}
}

// mounted lays a ConfigMap out as a kubelet does: files are links into a folder
// that is a link to the data of the moment.
func mounted(t *testing.T, files *corev1.ConfigMap) string {
	t.Helper()
	dir := t.TempDir()
	data := filepath.Join(dir, "..2026_01_02")
	if err := os.Mkdir(data, 0o755); err != nil {
		t.Fatal(err)
	}
	link := func(to, name string) {
		if err := os.Symlink(to, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	link("..2026_01_02", "..data")
	for name, text := range files.Data {
		if err := os.WriteFile(filepath.Join(data, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		link(filepath.Join("..data", name), name)
	}
	return dir
}

// bookstorePolicy is the bookstore in the files that the kustomization lists.
func bookstorePolicy(t *testing.T) map[string]string {
	t.Helper()
	var all []string
	manifests, err := filepath.Glob("../01-bookstore/manifests/*.yaml")
	if err != nil || len(manifests) == 0 {
		t.Fatal(manifests, err)
	}
	read := func(name string) string {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	for _, m := range manifests {
		all = append(all, read(m))
	}
	return map[string]string{
		"access.yaml":   strings.Join(all, "---\n"),
		"verdicts.yaml": read("../01-bookstore/verdicts.yaml"),
		"meshc.yaml":    strings.Replace(read("../01-bookstore/meshc.yaml"), "./manifests", "./access.yaml", 1),
	}
}

func TestPreSyncJobIsWellFormed(t *testing.T) {
	job, files := rendered(t, bookstorePolicy(t))
	if job.Annotations["argocd.argoproj.io/hook"] != "PreSync" || files.Annotations["argocd.argoproj.io/hook"] != "PreSync" {
		t.Error("Argo CD would run the Job, or make the ConfigMap, with the sync and not before it")
	}
	pod := job.Spec.Template.Spec
	if got := pod.Volumes[0].ConfigMap.Name; got != files.Name || !strings.HasPrefix(got, "mesh-policy-") {
		t.Errorf("the Job mounts %q, and the policy is in %q", got, files.Name)
	}
	if pod.RestartPolicy != corev1.RestartPolicyNever || job.Spec.BackoffLimit == nil || *job.Spec.BackoffLimit != 0 {
		t.Error("a policy that fails is tried again and again")
	}
	for _, c := range append(pod.InitContainers, pod.Containers...) {
		if c.SecurityContext == nil || c.SecurityContext.ReadOnlyRootFilesystem == nil || !*c.SecurityContext.ReadOnlyRootFilesystem || len(c.VolumeMounts) != 1 {
			t.Errorf("container %s: the anchors of the manifest were lost", c.Name)
		}
		if c.Image != "registry.example/meshc@"+imageDigest {
			t.Errorf("container %s runs %q, not the image that is named once", c.Name, c.Image)
		}
	}
}

// performed runs the Job's containers in order, to the first that fails; the
// server that the last one asks is what base says.
func performed(t *testing.T, s *site, policy map[string]string, base string) (printed, failed string) {
	t.Helper()
	job, files := rendered(t, policy)
	dir := mounted(t, files)
	pod := job.Spec.Template.Spec
	for _, c := range append(pod.InitContainers, pod.Containers...) {
		args := make([]string, len(c.Command))
		for i, a := range c.Command {
			switch {
			case a == pod.InitContainers[0].VolumeMounts[0].MountPath:
				a = dir
			case strings.HasPrefix(a, "http://"):
				a = base
			}
			args[i] = a
		}
		out, code := s.run(nil, args[0], args[1:]...)
		if printed += out; code != 0 {
			return printed, c.Name
		}
	}
	return printed, ""
}

func TestPreSyncJobJudgesPolicies(t *testing.T) {
	s := newSite(t)
	good := bookstorePolicy(t)
	bundle := filepath.Join(s.dir, "served")
	if out, code := s.run(nil, "meshc", "build", ".", "-o", bundle); code != 0 {
		t.Fatalf("exit %d\n%s", code, out)
	}
	if printed, failed := performed(t, s, good, bundle); failed != "" {
		t.Errorf("a good policy fails in %s\n%s", failed, printed)
	}
	more := bookstorePolicy(t)
	for old, new := range map[string]string{
		"  - name: update-books-bought":         "  - name: returned\n    pathRegex: /returned$\n    methods: [GET]\n  - name: update-books-bought",
		"matches: [buy-a-book, books-bought]\n": "matches: [buy-a-book, books-bought, returned]\n",
	} {
		more["access.yaml"] = strings.Replace(more["access.yaml"], old, new, 1)
	}
	if printed, failed := performed(t, s, more, bundle); failed != "" || !strings.Contains(printed, "can now GET /returned") {
		t.Errorf("what a sync will change is not told (%q failed)\n%s", failed, printed)
	}
	bad := bookstorePolicy(t)
	bad["access.yaml"] = strings.Replace(bad["access.yaml"], "name: bookstore-service-routes\n    matches", "name: bookstore-routes\n    matches", 1)
	if printed, failed := performed(t, s, bad, bundle); failed != "check" {
		t.Errorf("a bad policy fails in %q\n%s", failed, printed)
	}
	thief := bookstorePolicy(t)
	thief["access.yaml"] = strings.Replace(thief["access.yaml"], "    name: bookbuyer\n    namespace: bookbuyer\n", "    name: bookbuyer\n    namespace: bookbuyer\n  - kind: ServiceAccount\n    name: bookthief\n    namespace: bookthief\n", 1)
	if printed, failed := performed(t, s, thief, bundle); failed != "test" {
		t.Errorf("a policy that lets the thief in fails in %q\n%s", failed, printed)
	}
}
