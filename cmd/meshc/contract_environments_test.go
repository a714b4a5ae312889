package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// twoEnvironments lets only production rely on the service of orders.
func twoEnvironments(t *testing.T) {
	t.Helper()
	copiedRepositories(t)
	changed(t, "policy/meshc.yaml", "  sources: [./manifests]\n", "  sources: [./manifests]\n  environments:\n    prod: {}\n    staging: {sources: [./staging]}\n")
	writeFiles(t, "policy/staging", map[string]string{"access.yaml": `apiVersion: specs.smi-spec.io/v1alpha4
kind: TCPRoute
metadata: {name: postgres, namespace: shop}
spec: {matches: {ports: [5432]}}
---
apiVersion: access.smi-spec.io/v1alpha3
kind: TrafficTarget
metadata: {name: stage, namespace: shop}
spec:
  destination: {kind: ServiceAccount, name: orders-db, namespace: shop}
  rules: [{kind: TCPRoute, name: postgres}]
  sources: [{kind: ServiceAccount, name: orders, namespace: shop}]
`})
}

// A contract for each environment, in a folder of its own, says in which of them a
// change breaks something; --env asks about one.
func TestContractsOfEveryEnvironment(t *testing.T) {
	twoEnvironments(t)
	out, _ := wants(t, exitClean, "lock", "policy", "--update", "--from", "app", "--contract", "--all-envs")
	has(t, out, "policy/contracts/prod: 1 contract", "policy/contracts/staging: 1 contract")
	if _, err := os.Stat("policy/contracts/shop.yaml"); err == nil {
		t.Error("the contract of no environment stays beside those of all")
	}
	wants(t, exitClean, "check", "app", "--contract", "policy")
	for _, env := range []string{"prod", "staging"} {
		wants(t, exitClean, "build", "policy", "--env", env, "-o", filepath.Join(t.TempDir(), env))
	}
	inGit(t, ".", "init", "-q", "-b", "main")
	inGit(t, ".", "apply", "changes/breaking.patch")
	_, errs := wants(t, exitFindings, "check", "app", "--contract", "policy")
	has(t, errs, "MSH0372", ", in prod\n", "MSH0373")
	_, errs = wants(t, exitClean, "check", "app", "--contract", "policy", "--env", "staging")
	if strings.Contains(errs, "MSH0372") {
		t.Errorf("what only production relies on breaks staging:\n%s", errs)
	}
	_, errs = wants(t, exitUsage, "check", "app", "--contract", "policy", "--env", "test")
	has(t, errs, "MSH0364", "policy/contracts/prod/shop.yaml:", "they are of prod, staging", "lock --contract --all-envs")
	wants(t, exitUsage, "lock", "policy", "--contract", "--all-envs", "--env", "prod")

	// A run for one environment leaves what others rely on, and no second contract of its own.
	wants(t, exitClean, "lock", "policy", "--contract", "--env", "staging")
	_, errs = wants(t, exitFindings, "check", "app", "--contract", "policy", "--env", "prod")
	has(t, errs, "MSH0372")
	if _, err := os.Stat("policy/contracts/staging"); err == nil {
		t.Error("there are two contracts of staging")
	}

	// An environment that is no more loses its folder.
	changed(t, "policy/meshc.yaml", "    staging: {sources: [./staging]}\n", "")
	wants(t, exitClean, "lock", "policy", "--contract", "--all-envs")
	if _, err := os.Stat("policy/contracts/staging"); err == nil {
		t.Error("the contract of an environment that is gone stays")
	}
}

// A repository without a clone of the policy takes the contracts from a registry, by
// tag or by digest.
func TestContractsOfARegistry(t *testing.T) {
	host := registryHost(t)
	copiedRepositories(t)
	writeFiles(t, "policy/contracts", map[string]string{"notes.yaml": "ours: true\n"})
	out, _ := wants(t, exitClean, "lock", "policy", "--contract", "--push", host+"/contracts:main", "--plain-http")
	lines := strings.Fields(out)
	var pinned string
	for _, word := range lines {
		if strings.HasPrefix(word, host) {
			pinned = strings.TrimSuffix(word, ":")
		}
	}
	has(t, out, host+"/contracts@sha256:", ": 1 contract\n")
	for _, ref := range []string{host + "/contracts:main", pinned} {
		wants(t, exitClean, "check", "app", "--contract", ref, "--plain-http")
	}
	inGit(t, ".", "init", "-q", "-b", "main")
	inGit(t, ".", "apply", "changes/breaking.patch")
	_, errs := wants(t, exitFindings, "check", "app", "--contract", host+"/contracts:main", "--plain-http")
	has(t, errs, "MSH0372", "policy:manifests/access.yaml:", pinned+"/shop.yaml:")
	wants(t, exitInput, "check", "app", "--contract", host+"/contracts:other", "--plain-http")
	wants(t, exitUsage, "check", "app", "--contract", "oci://:", "--plain-http")
	wants(t, exitUsage, "lock", "policy", "--push", host+"/contracts:main")
}

// Contracts that were written without an environment hold for each, and that is told;
// --env is the application's own where it has one of the name.
func TestContractsOfNoEnvironmentHoldForEach(t *testing.T) {
	copiedRepositories(t)
	_, errs := wants(t, exitClean, "check", "app", "--contract", "policy", "--env", "prod")
	has(t, errs, "info[MSH0365]", "policy/contracts/shop.yaml:", "no contract is of an environment")
	writeFiles(t, "app", map[string]string{"meshc.yaml": "apiVersion: meshc.dev/v1alpha1\nkind: Mesh\nmetadata: {name: shop}\nspec: {environments: {prod: {}}}\n"})
	if _, errs = wants(t, exitClean, "check", "app", "--contract", "policy", "--env", "prod"); strings.Contains(errs, "MSH0365") {
		t.Errorf("the application has the environment:\n%s", errs)
	}
}

// A folder of contracts may be called anything; contracts on which nothing relies go
// away there too.
func TestContractsInAFolderWithGlobCharacters(t *testing.T) {
	copiedRepositories(t)
	const dir = "policy/c[on]tra*cts?"
	wants(t, exitClean, "lock", "policy", "--contract="+dir)
	writeFiles(t, dir, map[string]string{"old.yaml": strings.ReplaceAll(string(read(t, dir+"/shop.yaml")), "\"shop\"", "\"old\"")})
	wants(t, exitClean, "lock", "policy", "--contract="+dir)
	if left, _ := os.ReadDir(dir); len(left) != 1 || left[0].Name() != "shop.yaml" {
		t.Errorf("left are %v", left)
	}
	wants(t, exitClean, "check", "app", "--contract", dir)
}
