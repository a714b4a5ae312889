package webhook_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
	jsonpatch "gopkg.in/evanphx/json-patch.v4"
	"sigs.k8s.io/yaml"

	"github.com/meshc/meshc/admission/inject"
	"github.com/meshc/meshc/admission/validate"
	"github.com/meshc/meshc/admission/webhook"
	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/test/fuzz/guard"
)

func settings() inject.Settings {
	return inject.Settings{ControlPlane: "meshc-controller.meshc-system.svc:15128", EnvoyImage: "envoy@sha256:0", InitImage: "meshc@sha256:0"}
}

// injector is one whose cluster has a single namespace.
func injector(ns inject.Namespace, s inject.Settings) *webhook.Injector {
	return &webhook.Injector{
		Settings: func() inject.Settings { return s },
		Namespace: func(_ context.Context, name string) (inject.Namespace, error) {
			if name != ns.Name {
				return inject.Namespace{}, errors.New("there is none")
			}
			return ns, nil
		},
	}
}

func review(t testing.TB, namespace string, pod []byte) []byte {
	t.Helper()
	out, err := json.Marshal(validate.Review{APIVersion: "admission.k8s.io/v1", Kind: "AdmissionReview", Request: &validate.Request{
		UID: "1", Kind: validate.GroupKind{Version: "v1", Kind: "Pod"}, Namespace: namespace, Operation: "CREATE", Object: pod,
	}})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func ask(t testing.TB, h http.Handler, path string, body []byte) *validate.Response {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodPost, path, bytes.NewReader(body)))
	if w.Code != http.StatusOK {
		t.Fatalf("%s: %d %s", path, w.Code, w.Body)
	}
	var out validate.Review
	if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil || out.Response == nil || out.Response.UID != "1" {
		t.Fatalf("%s answers no review: %v %s", path, err, w.Body)
	}
	return out.Response
}

// patched is the pod as the API server makes it of the answer.
func patched(t *testing.T, pod []byte, a *validate.Response) []byte {
	t.Helper()
	if a.Patch == nil {
		return pod
	}
	if a.PatchType != "JSONPatch" {
		t.Errorf("the patch is of type %q", a.PatchType)
	}
	p, err := jsonpatch.DecodePatch(a.Patch)
	if err != nil {
		t.Fatal(err)
	}
	out, err := p.Apply(pod)
	if err != nil {
		t.Fatalf("the API server cannot apply %s: %v", a.Patch, err)
	}
	return out
}

func same(t *testing.T, a, b []byte) bool {
	t.Helper()
	var x, y any
	if err := errors.Join(json.Unmarshal(a, &x), json.Unmarshal(b, &y)); err != nil {
		t.Fatal(err)
	}
	return reflect.DeepEqual(x, y)
}

// In every story of injection the webhook's patch makes the pod that files get, a
// second call changes nothing, and what files are refused for is refused here.
func TestThePatchMakesThePodThatFilesGet(t *testing.T) {
	stories, err := filepath.Glob("../inject/testdata/*.txtar")
	if err != nil || len(stories) < 10 {
		t.Fatal(len(stories), err)
	}
	for _, path := range stories {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar"), func(t *testing.T) {
			ns, s, pod := story(t, path)
			text, err := json.Marshal(pod)
			if err != nil {
				t.Fatal(err)
			}
			want, found := inject.Pod(pod, ns, s, func(string) diag.Span { return diag.Span{} })
			h := injector(ns, s)
			answer := ask(t, h, webhook.MutatePath, review(t, ns.Name, text))
			worst, any := found.Max()
			if failed := any && worst == diag.Error; failed == answer.Allowed {
				t.Fatalf("allowed: %v, files: %v", answer.Allowed, found)
			}
			for _, f := range found {
				if !strings.Contains(answer.AuditAnnotations["findings"], string(f.Code)) {
					t.Errorf("%s is not in the audit log: %v", f.Code, answer.AuditAnnotations)
				}
			}
			if !answer.Allowed {
				return
			}
			wanted, err := json.Marshal(want.Pod)
			if err != nil {
				t.Fatal(err)
			}
			once := patched(t, text, answer)
			if !same(t, once, wanted) {
				t.Errorf("the API server makes\n%s\nand files get\n%s", once, wanted)
			}
			if fmt.Sprint(want.Injected) != answer.AuditAnnotations["injected"] || answer.AuditAnnotations["why"] != want.Why {
				t.Errorf("audited as %v", answer.AuditAnnotations)
			}
			if again := ask(t, h, webhook.MutatePath, review(t, ns.Name, once)); again.Patch != nil {
				t.Errorf("a second call changes the pod: %s", again.Patch)
			}
		})
	}
}

func story(t *testing.T, path string) (ns inject.Namespace, s inject.Settings, pod inject.Object) {
	t.Helper()
	a, err := txtar.ParseFile(path)
	if err != nil {
		t.Fatal(err)
	}
	s = settings()
	into := map[string]any{"namespace.yaml": &ns, "settings.yaml": &s, "pod.yaml": &pod}
	for _, f := range a.Files {
		if to := into[f.Name]; to != nil {
			if err := yaml.Unmarshal(f.Data, to); err != nil {
				t.Fatalf("%s: %v", f.Name, err)
			}
		}
	}
	return ns, s, pod
}

var shop = inject.Namespace{Name: "shop", Labels: map[string]string{"meshc.dev/mesh": "mesh"}}

const plain = `{"metadata":{"generateName":"app-"},"spec":{"activeDeadlineSeconds":9007199254740993,"containers":[{"name":"app","image":"a"}]}}`

// Numbers that a float cannot hold, and all else that stays, no patch mentions.
func TestAPatchMentionsNothingThatStays(t *testing.T) {
	a := ask(t, injector(shop, settings()), webhook.MutatePath, review(t, "shop", []byte(plain)))
	if a.Patch == nil || strings.Contains(string(a.Patch), "activeDeadlineSeconds") || strings.Contains(string(a.Patch), `"image":"a"`) {
		t.Errorf("%s", a.Patch)
	}
}

// A pod without the trust bundle would hang in ContainerCreating: it is refused with
// a reason, and who made it tries again. One that gets no proxy needs no bundle.
func TestNoPodBeforeTheTrustBundle(t *testing.T) {
	h := injector(shop, settings())
	h.Trusted = func(context.Context, string) error { return errors.New("configmaps is forbidden") }
	a := ask(t, h, webhook.MutatePath, review(t, "shop", []byte(plain)))
	if a.Allowed || !strings.Contains(a.Status.Message, "MSH4040") || !strings.Contains(a.Status.Message, "forbidden") {
		t.Errorf("%+v", a)
	}
	out := strings.Replace(plain, `{"generateName"`, `{"labels":{"meshc.dev/inject":"disabled"},"generateName"`, 1)
	if a := ask(t, h, webhook.MutatePath, review(t, "shop", []byte(out))); !a.Allowed || a.Patch != nil {
		t.Errorf("%+v", a)
	}
}

// What is not a pod that is made stays as it is; a namespace that cannot be told is
// no reason to let a pod in without its sidecar.
func TestTheInjectorChangesPodsOnly(t *testing.T) {
	h := injector(shop, settings())
	h.Exempt = []string{"meshc-system"}
	for name, r := range map[string]*validate.Request{
		"update":         {Kind: validate.GroupKind{Version: "v1", Kind: "Pod"}, Namespace: "shop", Operation: "UPDATE", Object: []byte(plain)},
		"deployment":     {Kind: validate.GroupKind{Group: "apps", Version: "v1", Kind: "Deployment"}, Namespace: "shop", Operation: "CREATE", Object: []byte(plain)},
		"own namespace":  {Kind: validate.GroupKind{Version: "v1", Kind: "Pod"}, Namespace: "meshc-system", Operation: "CREATE", Object: []byte(plain)},
		"kube-system":    {Kind: validate.GroupKind{Version: "v1", Kind: "Pod"}, Namespace: "kube-system", Operation: "CREATE", Object: []byte(plain)},
		"without object": {Kind: validate.GroupKind{Version: "v1", Kind: "Pod"}, Namespace: "shop", Operation: "CREATE", Object: []byte("null")},
	} {
		a, err := h.Answer(t.Context(), r)
		if err != nil || a.Patch != nil || a.Allowed != (name != "without object") {
			t.Errorf("%s: %+v %v", name, a, err)
		}
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodPost, webhook.MutatePath, bytes.NewReader(review(t, "unknown", []byte(plain)))))
	if w.Code != http.StatusServiceUnavailable {
		t.Errorf("a namespace that cannot be told: %d", w.Code)
	}
}

// FuzzMutate: whatever comes, the answer is a refusal of HTTP or a review whose patch
// the API server can apply.
func FuzzMutate(f *testing.F) {
	f.Add([]byte(plain))
	f.Add([]byte(`{"metadata":null,"spec":{"initContainers":[null,{"name":"meshc-init"}],"containers":[{"name":"a"},{"name":"a"}],"volumes":[1]}}`))
	h := injector(shop, settings())
	f.Fuzz(func(t *testing.T, pod []byte) {
		if !json.Valid(pod) {
			return
		}
		guard.Run(t, 64<<20+uint64(len(pod))<<10, func() {
			body := review(t, "shop", pod)
			w := httptest.NewRecorder()
			h.ServeHTTP(w, httptest.NewRequest(http.MethodPost, webhook.MutatePath, bytes.NewReader(body)))
			if w.Code != http.StatusOK {
				return
			}
			var out validate.Review
			if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil || out.Response == nil {
				t.Fatalf("%v %s", err, w.Body)
			}
			if out.Response.Allowed {
				patched(t, pod, out.Response)
			}
		})
	})
}
