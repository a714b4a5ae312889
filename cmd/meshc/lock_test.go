package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const export = `# meshc.lock v1
# from: file catalog.yaml
# at: 2020-01-01T00:00:00Z
account other/nobody
account shop/front
account shop/web
service shop/web account=shop/web port=80,name=http,target=8080
`

// Policy in one repository, applications in another: an export pins what the
// policy needs of them, and no more.
func TestLockPinsWhatThePolicyNeeds(t *testing.T) {
	src, dir := t.TempDir(), filepath.Join(t.TempDir(), "b")
	exported := filepath.Join(t.TempDir(), "export.lock")
	writeFiles(t, src, map[string]string{"policy.yaml": policyManifests})
	writeFiles(t, filepath.Dir(exported), map[string]string{"export.lock": export})

	wants(t, exitFindings, "build", src, "-o", dir)
	wants(t, exitUsage, "lock", src, "--update")
	wants(t, exitFindings, "lock", src)
	if _, err := os.Stat(filepath.Join(src, lockName)); !os.IsNotExist(err) {
		t.Errorf("a lock was written although facts are missing: %v", err)
	}
	wants(t, exitClean, "lock", src, "--from", exported)
	text, err := os.ReadFile(filepath.Join(src, lockName))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"# from: file catalog.yaml\n", "\naccount shop/front\n", "\nservice shop/web "} {
		if !strings.Contains(string(text), want) {
			t.Errorf("the lock lacks %q:\n%s", want, text)
		}
	}
	if strings.Contains(string(text), "nobody") {
		t.Errorf("the lock pins what nothing needs:\n%s", text)
	}
	wants(t, exitClean, "build", src, "-o", dir, "--locked")
	if m := manifest(t, dir); m.Lock.From != "file catalog.yaml" || len(m.Inputs) != 2 {
		t.Errorf("manifest %+v", m)
	}
	before := string(text)
	wants(t, exitClean, "lock", src)
	if text, err = os.ReadFile(filepath.Join(src, lockName)); err != nil || string(text) != before {
		t.Errorf("a second lock changed it (%v):\n%s", err, text)
	}
}

func TestLockedRefusesAFactThatNothingNeeds(t *testing.T) {
	src, dir := t.TempDir(), filepath.Join(t.TempDir(), "b")
	writeFiles(t, src, map[string]string{"policy.yaml": policyManifests, lockName: export})
	wants(t, exitClean, "build", src, "-o", dir)
	_, err := wants(t, exitFindings, "build", src, "-o", dir, "--locked")
	if !strings.Contains(err, "MSH0207") || !strings.Contains(err, lockName+":4:1") {
		t.Errorf("findings: %s", err)
	}
	wants(t, exitClean, "lock", src)
	wants(t, exitClean, "build", src, "-o", dir, "--locked")
}

func TestAnOldLockWarnsOrFails(t *testing.T) {
	src, dir := t.TempDir(), filepath.Join(t.TempDir(), "b")
	writeFiles(t, src, map[string]string{"policy.yaml": policyManifests, lockName: export, "meshc.yaml": `apiVersion: meshc.dev/v1alpha1
kind: Mesh
metadata: {name: town}
spec: {lock: {maxAge: 168h}}
`})
	_, err := wants(t, exitClean, "build", src, "-o", dir)
	if !strings.Contains(err, "MSH0206") {
		t.Errorf("findings: %s", err)
	}
	wants(t, exitFindings, "build", src, "-o", dir, "--fail-on-stale")
	t.Setenv("SOURCE_DATE_EPOCH", "1577900000") // a day after the export
	if _, err := wants(t, exitClean, "build", src, "-o", dir, "--fail-on-stale"); strings.Contains(err, "MSH0206") {
		t.Errorf("findings: %s", err)
	}
}

// Applications in a repository beside the policy's need no catalog.
func TestLockFromManifests(t *testing.T) {
	policy, apps := t.TempDir(), t.TempDir()
	writeFiles(t, policy, map[string]string{"policy.yaml": policyManifests})
	writeFiles(t, apps, map[string]string{"apps.yaml": `apiVersion: v1
kind: Namespace
metadata: {name: shop}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: front, namespace: shop}
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec: {selector: {app: web}, ports: [{name: http, port: 80, targetPort: 8080}]}
---
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: shop, labels: {app: web}}
spec: {serviceAccountName: web, containers: [{name: app, image: echo}]}
`})
	wants(t, exitClean, "lock", policy, "--from", apps)
	text, err := os.ReadFile(filepath.Join(policy, lockName))
	if err != nil || !strings.Contains(string(text), "\nnamespace shop\n") || strings.Contains(string(text), "absent namespace shop") {
		t.Errorf("the lock denies a namespace that the folder has (%v):\n%s", err, text)
	}
	wants(t, exitClean, "build", policy, "-o", filepath.Join(t.TempDir(), "b"), "--locked")
	writeFiles(t, apps, map[string]string{"bad.yaml": "apiVersion: v1\nkind: Service\nmetadata: {name: web, namespace: shop}\nspec: {prots: []}\n"})
	wants(t, exitInput, "lock", policy, "--update", "--from", apps)
}

// The lock of all environments is the lock of each: what another one needs is not
// stale. What none needs is.
func TestTheLockOfAllEnvironmentsHoldsForEach(t *testing.T) {
	src, dir := t.TempDir(), filepath.Join(t.TempDir(), "b")
	writeFiles(t, src, map[string]string{
		"meshc.yaml": `apiVersion: meshc.dev/v1alpha1
kind: Mesh
metadata: {name: town}
spec:
  sources: [./base]
  environments:
    prod: {sources: [./base, ./prod]}
    stage: {}
    apart: {lock: {file: apart.lock}}
`,
		"base/policy.yaml": policyManifests,
		"prod/more.yaml": `apiVersion: access.smi-spec.io/v1alpha3
kind: TrafficTarget
metadata: {name: more, namespace: shop}
spec:
  destination: {kind: ServiceAccount, name: web, namespace: shop}
  rules: [{kind: TCPRoute, name: all}]
  sources: [{kind: ServiceAccount, name: nobody, namespace: other}]
`,
		"export.lock": export,
	})
	wants(t, exitClean, "lock", src, "--all-envs", "--from", filepath.Join(src, "export.lock"))
	for _, env := range []string{"prod", "stage", "apart"} {
		wants(t, exitClean, "build", src, "-o", filepath.Join(dir, env), "--locked", "--env", env)
		wants(t, exitClean, "check", src, "--locked", "--env", env)
	}
	wants(t, exitClean, "build", src, "-o", dir+"all", "--locked", "--all-envs")
	changed(t, filepath.Join(src, lockName), "account other/nobody\n", "account other/nobody\naccount other/unneeded\n")
	changed(t, filepath.Join(src, "apart.lock"), "account shop/front\n", "account other/nobody\naccount shop/front\n")
	for env, fact := range map[string]string{"prod": "other/unneeded", "stage": "other/unneeded", "apart": "other/nobody"} {
		_, err := wants(t, exitFindings, "check", src, "--locked", "--env", env)
		has(t, err, "MSH0207", fact, "meshc lock --all-envs")
		if strings.Count(err, "error[MSH0207]") != 1 {
			t.Errorf("%s: what another environment needs is stale:\n%s", env, err)
		}
	}
}
