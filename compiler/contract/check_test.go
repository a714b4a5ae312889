package contract_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/meshc/meshc/compiler/contract"
	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/source"
	"github.com/meshc/meshc/compiler/syntax"
)

const debug = `---
apiVersion: apps/v1
kind: Deployment
metadata: {name: debug, namespace: store}
spec:
  selector: {matchLabels: {app: debug}}
  template:
    metadata: {labels: {app: debug, all: "1"}}
    spec:
      serviceAccountName: debug
      containers: [{name: app, image: store}]
`

// Each change of an application, and what it does to the mesh: severity, code and
// the text that the finding points at.
func TestChangesThatMatter(t *testing.T) {
	for _, change := range []struct {
		name     string
		old, new string // in the application
		want     []string
	}{
		{"nothing", "", "", nil},
		{"more replicas", "replicas: 2", "replicas: 9", nil},
		{"another class of HTTP", "{name: http, port: 80, targetPort: 8080}\n", "{name: grpc, port: 80, targetPort: 8080}\n", nil},
		{"a target port moves where nothing else is", "appProtocol: tcp, port: 5432", "appProtocol: tcp, port: 5432, targetPort: 5433", nil},
		{"a new port that no grant takes in", "[{appProtocol: tcp, port: 5432}]", "[{appProtocol: tcp, port: 5432}, {name: metrics, appProtocol: http, port: 9187}]", nil},

		{"a port speaks TCP by its name", "- {name: http, port: 80, targetPort: 8080}", "- {name: tcp, port: 80, targetPort: 8080}", []string{"error MSH0372 tcp"}},
		{"a port speaks TCP by its appProtocol", "- {name: http, port: 80,", "- {name: http, appProtocol: tcp, port: 80,", []string{"error MSH0372 tcp"}},
		{"a port speaks UDP", "[{appProtocol: tcp, port: 5432}]", "[{protocol: UDP, port: 5432}]", []string{"error MSH0372 5432"}},
		{"a port has another number", "appProtocol: tcp, port: 5432", "appProtocol: tcp, port: 5433", []string{"error MSH0371 5433"}},
		{"a service has another name", "metadata: {name: db, namespace: store}\nspec:\n  selector", "metadata: {name: sql, namespace: store}\nspec:\n  selector", []string{"error MSH0370 db", "warning MSH0381 5432"}},
		{"a workload runs under another account", "serviceAccountName: db", "serviceAccountName: sql", []string{"error MSH0373 sql", "error MSH0374 sql", "warning MSH0380 sql"}},
		{"a service selects nothing", "selector: {app: db}\n  ports", "selector: {app: sql}\n  ports", []string{"error MSH0374 {app: sql}"}},
		{"a namespace goes to another mesh", "meshc.dev/mesh: books", "meshc.dev/mesh: films", []string{"error MSH0375 films"}},
		{"a namespace leaves", "{meshc.dev/mesh: books}", "{meshc.dev/mesh: books, meshc.dev/inject: disabled}", []string{"error MSH0375 disabled"}},
		{"a workload leaves", "labels: {app: db}", "labels: {app: db, meshc.dev/inject: disabled}", []string{"error MSH0375 db", "error MSH0375 db"}},
		{"a service becomes headless", "selector: {app: db}\n  ports", "clusterIP: None\n  selector: {app: db}\n  ports", []string{"error MSH0376 None"}},
		{"ports part", "- {name: http-alt, port: 81, targetPort: 8080}", "- {name: http-alt, port: 81, targetPort: 8081}", []string{"error MSH0377 8081", "error MSH0377 8081", "error MSH0377 8081"}},
		{"a pod backs less together", `{app: v1, all: "1"}`, "{app: v1}", []string{"error MSH0374 {all: \"1\"}", "error MSH0378 v1"}},

		{"a new account behind a service", "$", debug, []string{"warning MSH0380 debug"}},
		{"an account with grants behind another service", "$", strings.ReplaceAll(debug, "serviceAccountName: debug", "serviceAccountName: db"), []string{"error MSH0378 db", "warning MSH0380 db"}},
		{"a new port that a grant takes in", "  - {name: http-alt,", "  - {name: http-admin, port: 9000}\n  - {name: http-alt,", []string{"error MSH0379 9000", "warning MSH0381 9000"}},
		{"a port leads where grants hold", "[{appProtocol: tcp, port: 5432}]", "[{appProtocol: tcp, port: 5432}, {name: tcp-2, port: 5434, targetPort: 5432}]", []string{"warning MSH0382 5432"}},
		{"plaintext", "metadata: {name: db, namespace: store}\nspec:\n  selector", "metadata: {name: db, namespace: store, annotations: {meshc.dev/plaintext-ports: \"5432\"}}\nspec:\n  selector", []string{`warning MSH0383 "5432"`}},
		{"a service that was not there", "$", "---\napiVersion: v1\nkind: Service\nmetadata: {name: store-v2, namespace: store}\nspec: {selector: {app: none}, ports: [{name: http, port: 80}]}\n", []string{"info MSH0385 store-v2"}},
	} {
		t.Run(change.name, func(t *testing.T) {
			text := edited(t, application, change.old, change.new)
			list := reread(t, contracts(t, policy, locked))
			var got []string
			for _, f := range contract.Check(list, shown(t, text)) {
				got = append(got, told(text, f))
				explained(t, f)
			}
			slices.Sort(got)
			slices.Sort(change.want)
			if !slices.Equal(got, change.want) {
				t.Errorf("found\n%s\nand not\n%s", strings.Join(got, "\n"), strings.Join(change.want, "\n"))
			}
		})
	}
}

// edited replaces the one place where old stands; "$" is the end, "" is nowhere.
func edited(t *testing.T, text, old, new string) string {
	t.Helper()
	switch {
	case old == "":
		return text
	case old == "$":
		return text + new
	case !strings.Contains(text, old):
		t.Fatalf("the application does not hold %q", old)
	}
	return strings.Replace(text, old, new, 1)
}

// explained: who reads the finding sees which line of the policy to talk about.
func explained(t *testing.T, f diag.Finding) {
	t.Helper()
	if f.Effect == "" || f.Help == "" || f.Object == nil || len(f.Related) < 2 {
		t.Errorf("%s does not say enough: %+v", f.Code, f)
		return
	}
	if at := f.Related[0]; !strings.HasPrefix(at.File, "policy:policy/") || at.Line == 0 || !strings.Contains(f.Help, strings.TrimPrefix(at.File, "policy:")) {
		t.Errorf("%s does not name the policy's line: %+v", f.Code, f)
	}
	if last := f.Related[len(f.Related)-1]; last.File != "store.yaml" || last.Line == 0 {
		t.Errorf("%s does not name the contract's line: %+v", f.Code, last)
	}
}

func TestPermissiveNamespacesOpenWhatIsNew(t *testing.T) {
	text := strings.NewReplacer("store", "legacy").Replace(debug) + `---
apiVersion: v1
kind: Service
metadata: {name: old, namespace: legacy}
spec: {selector: {app: debug}, ports: [{name: http, port: 80}]}
---
apiVersion: v1
kind: Service
metadata: {name: new, namespace: legacy}
spec: {selector: {app: debug}, ports: [{name: http, port: 81}]}
`
	found := contract.Check(reread(t, contracts(t, policy, locked)), shown(t, strings.ReplaceAll(text, "serviceAccountName: debug", "serviceAccountName: old")))
	if len(found) != 1 || found[0].Code != "MSH0384" || !strings.HasPrefix(found[0].Related[0].File, "policy:policy/meshc.yaml") {
		t.Errorf("found %+v", found)
	}
}

// A repository may hold a part of a namespace only: what it does not show is
// another's, unless it shows the other end of it.
func TestPart(t *testing.T) {
	documents := strings.Split(application, "---\n")
	list := reread(t, contracts(t, policy, locked))
	without := func(lacking string) contract.Application {
		var kept []string
		for _, d := range documents {
			if !strings.Contains(d, lacking) {
				kept = append(kept, d)
			}
		}
		app := shown(t, strings.Join(kept, "---\n"))
		app.Part = true
		return app
	}
	if found := contract.Check(list, without("db")); len(found) > 0 {
		t.Errorf("another repository's database is missed: %v", found)
	}
	found := contract.Check(list, without("kind: Service\nmetadata: {name: db,"))
	if len(found) != 1 || found[0].Code != "MSH0370" {
		t.Errorf("a service whose workload is still there is not missed: %v", found)
	}
}

func TestContractsThatCannotBeBelieved(t *testing.T) {
	good := string(contract.Print(contracts(t, policy, locked)[2]))
	for _, bad := range []struct {
		name, text string
		code       diag.Code
	}{
		{"cut off", good[:strings.Index(good, "  - fact: \"service store/store\"")], "MSH0361"},
		{"a fact cannot be read", strings.Replace(good, "port store/db:5432 tcp", "port store/db:http tcp", 1), "MSH0360"},
		{"a fact of another namespace", strings.Replace(good, "account store/db", "account shop/db", 1), "MSH0360"},
		{"a fact twice", strings.Replace(good, "account store/db", "account store/v1", 1), "MSH0360"},
		{"another version", strings.Replace(good, "v1alpha1", "v9", 1), "MSH0105"},
		{"an unknown field", strings.Replace(good, "  mode: strict", "  mode: strict\n  mod: strict", 1), "MSH0101"},
		{"merge conflict", strings.Replace(good, "  facts:\n", "  facts:\n<<<<<<< HEAD\n", 1), ""},
	} {
		files, found := syntax.Parse(source.FromMap(map[string][]byte{"c.yaml": []byte(bad.text)}))
		_, more := contract.Read(files)
		if found.Add(more...); !found.HasErrors() || bad.code != "" && found[0].Code != bad.code {
			t.Errorf("%s: %v", bad.name, found)
		}
	}
	files, _ := syntax.Parse(source.FromMap(map[string][]byte{"a.yaml": []byte(good), "b.yaml": []byte(good)}))
	if list, found := contract.Read(files); len(list) != 1 || len(found) != 1 || found[0].Code != "MSH0362" {
		t.Errorf("two contracts of a namespace: %v", found)
	}
}

func TestAnotherNamespaceIsNoCleanCheck(t *testing.T) {
	list := reread(t, contracts(t, policy, locked))
	found := contract.Check(list[:1], shown(t, application))
	if len(found) != 1 || found[0].Code != "MSH0363" || !strings.Contains(found[0].Help, `"store"`) {
		t.Errorf("found %+v", found)
	}
}
