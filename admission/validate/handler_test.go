package validate_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/meshc/meshc/admission/validate"
	"github.com/meshc/meshc/compiler"
	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/test/bench"
	"github.com/meshc/meshc/test/fuzz/guard"
)

func post(h http.Handler, body []byte) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/validate", bytes.NewReader(body)))
	return w
}

func reviewOf(t testing.TB, r *validate.Request) []byte {
	t.Helper()
	out, err := json.Marshal(validate.Review{APIVersion: "admission.k8s.io/v1", Kind: "AdmissionReview", Request: r})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// An API server asks, and does as it is told; what is no review must not be allowed.
func TestTheHandlerAnswersAsAnAPIServerWants(t *testing.T) {
	var told int
	h := &validate.Handler{Compiler: live(t, map[string][]byte{"shop.yaml": []byte(shop)}), Exempt: []string{"meshc-system"},
		Decided: func(*validate.Request, *validate.Response) { told++ }}
	bad := strings.NewReplacer("GROUP", "api", "SOURCE", `""`).Replace(target)
	w := post(h, reviewOf(t, ask(t, "CREATE", bad)))
	var answer validate.Review
	if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil {
		t.Fatal(err)
	}
	if answer.Kind != "AdmissionReview" || answer.APIVersion != "admission.k8s.io/v1" || answer.Response.UID != "1" || answer.Response.Allowed || told != 1 {
		t.Errorf("%s", w.Body)
	}
	own := ask(t, "CREATE", strings.ReplaceAll(bad, "namespace: shop", "namespace: meshc-system"))
	if err := json.Unmarshal(post(h, reviewOf(t, own)).Body.Bytes(), &answer); err != nil || !answer.Response.Allowed {
		t.Errorf("the control plane's own namespace is judged: %+v", answer.Response)
	}
	for name, body := range map[string]string{
		"no JSON": "{", "no review": `{"apiVersion": "v1", "kind": "Pod"}`, "another version": `{"apiVersion": "admission.k8s.io/v1beta1", "kind": "AdmissionReview", "request": {"uid": "1"}}`,
		"no request": `{"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview"}`, "too long": strings.Repeat(" ", 9<<20),
	} {
		if w := post(h, []byte(body)); w.Code < 400 {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
	}
	if w := post(&validate.Handler{}, reviewOf(t, own)); w.Code != http.StatusServiceUnavailable {
		t.Errorf("before there is a mesh: %d", w.Code)
	}
}

// FuzzReview: whatever comes, the answer is a refusal of HTTP or a review; an object
// of a policy that the compiler finds an error in is never allowed.
func FuzzReview(f *testing.F) {
	good := strings.NewReplacer("GROUP", "api", "SOURCE", "shop").Replace(target)
	for _, op := range []string{"CREATE", "UPDATE", "DELETE"} {
		f.Add(reviewOf(f, ask(f, op, good)))
	}
	f.Add([]byte(`{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{"uid":"1","kind":{"group":"split.smi-spec.io","kind":"TrafficSplit"},"operation":"CREATE","object":[]}}`))
	s := live(f, map[string][]byte{"shop.yaml": []byte(shop)})
	f.Fuzz(func(t *testing.T, body []byte) {
		guard.Run(t, 64<<20+uint64(len(body))<<10, func() {
			errors := false
			watched := tried{s, func(found diag.List) {
				errors = slices.ContainsFunc(found, func(f diag.Finding) bool { return f.Counts() && f.Severity == diag.Error })
			}}
			w := post(&validate.Handler{Compiler: watched}, body)
			if w.Code != http.StatusOK {
				return
			}
			var in, out validate.Review
			if json.Unmarshal(body, &in) != nil || json.Unmarshal(w.Body.Bytes(), &out) != nil || out.Response == nil {
				t.Fatalf("%q is answered by %q", body, w.Body)
			}
			if policy := strings.HasSuffix(in.Request.Kind.Group, "smi-spec.io"); policy && errors && out.Response.Allowed {
				t.Errorf("%q has errors and is allowed", body)
			}
		})
	})
}

type tried struct {
	validate.Compiler
	found func(diag.List)
}

func (c tried) Try(change compiler.Change) diag.List {
	out := c.Compiler.Try(change)
	c.found(out)
	return out
}

// BenchmarkReview1000 is a request from its bytes to those of the answer, in a mesh
// of 1,000 services: targets, groups, splits and Services in turn.
func BenchmarkReview1000(b *testing.B) {
	files := bench.RefMesh(1000, 64)
	h := &validate.Handler{Compiler: live(b, files)}
	var bodies [][]byte
	for _, name := range sortedNames(files) {
		for doc := range strings.SplitSeq(string(files[name]), "\n---\n") {
			for _, kind := range []string{"TrafficTarget", "HTTPRouteGroup", "TrafficSplit", "Service"} {
				if strings.Contains(doc, "\nkind: "+kind+"\n") {
					bodies = append(bodies, reviewOf(b, ask(b, "UPDATE", doc)))
				}
			}
		}
	}
	if len(bodies) < 3000 {
		b.Fatalf("only %d objects were found", len(bodies))
	}
	bench.Latency(b, func(i int) {
		w := post(h, bodies[i*37%len(bodies)])
		if w.Code != http.StatusOK {
			b.Fatal(fmt.Sprint(w.Code, w.Body))
		}
	})
}

func sortedNames(files map[string][]byte) []string {
	var out []string
	for name := range files {
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}
