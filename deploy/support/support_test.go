package support_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/meshc/meshc/deploy/api"
	"github.com/meshc/meshc/deploy/support"
)

// No value of a Secret, a ConfigMap or an environment variable reaches the archive, in
// whatever depth it stands and whoever copied it.
func TestNothingSecretIsInIt(t *testing.T) {
	for name, text := range map[string]string{
		"a Secret":                 `{"kind":"Secret","metadata":{"name":"s","annotations":{"kubectl.kubernetes.io/last-applied-configuration":"{\"data\":\"hunter2\"}"}},"data":{"k":"hunter2"},"stringData":{"k":"hunter2"}}`,
		"a ConfigMap":              `{"kind":"ConfigMap","data":{"k":"hunter2"},"binaryData":{"k":"hunter2"}}`,
		"a pod's environment":      `{"kind":"Pod","spec":{"containers":[{"name":"c","env":[{"name":"PASSWORD","value":"hunter2"},{"name":"B","valueFrom":{"secretKeyRef":{"name":"n"}}}]}]}}`,
		"a Deployment's":           `{"kind":"Deployment","spec":{"template":{"spec":{"initContainers":[{"env":[{"name":"A","value":"hunter2"}]}]}}}}`,
		"what a manager wrote":     `{"kind":"Pod","metadata":{"managedFields":[{"fieldsV1":"hunter2"}]}}`,
		"a command line":           `{"kind":"Pod","spec":{"containers":[{"name":"c","image":"i","command":["run","--password=hunter2"],"args":["hunter2"]}]}}`,
		"a probe":                  `{"kind":"Pod","spec":{"containers":[{"name":"c","image":"i","livenessProbe":{"httpGet":{"httpHeaders":[{"name":"Authorization","value":"hunter2"}]}},"lifecycle":{"preStop":{"exec":{"command":["hunter2"]}}}}]}}`,
		"a template's environment": `{"kind":"CronJob","spec":{"jobTemplate":{"spec":{"template":{"spec":{"containers":[{"env":[{"name":"A","value":"hunter2"}]}]}}}}}}`,
	} {
		var o api.Object
		if err := json.Unmarshal([]byte(text), &o); err != nil {
			t.Fatal(err)
		}
		out, err := json.Marshal(support.Redact(o))
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(out), "hunter2") {
			t.Errorf("%s: %s", name, out)
		}
		if again, _ := json.Marshal(o); !strings.Contains(string(again), "hunter2") {
			t.Errorf("%s: the object itself was changed", name)
		}
	}
	pod := api.Object{"kind": "Pod", "spec": api.Object{"containers": []any{api.Object{"name": "c", "image": "i", "env": []any{api.Object{"name": "A", "value": "b"}}}}}}
	out, err := json.Marshal(support.Redact(pod))
	if err != nil || !strings.Contains(string(out), `"image":"i"`) || !strings.Contains(string(out), `"name":"A"`) {
		t.Errorf("more than what is secret was taken out: %s (%v)", out, err)
	}
	for name, text := range map[string]string{
		"a proxy":           `{"kind":"Pod","spec":{"containers":[{"name":"meshc-proxy","image":"i","args":["--log-level"]}]}}`,
		"the control plane": `{"kind":"Pod","metadata":{"labels":{"app.kubernetes.io/part-of":"meshc"}},"spec":{"containers":[{"name":"controller","image":"i","args":["--log-level"]}]}}`,
	} {
		var o api.Object
		if err := json.Unmarshal([]byte(text), &o); err != nil {
			t.Fatal(err)
		}
		if out, err := json.Marshal(support.Redact(o)); err != nil || !strings.Contains(string(out), "--log-level") {
			t.Errorf("nobody can tell how %s was started: %s (%v)", name, out, err)
		}
	}
}
