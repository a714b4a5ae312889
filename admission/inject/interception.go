package inject

import (
	"encoding/json"
	"fmt"
	"strings"
)

// verifier is the user of the init container that only looks whether the plugin of
// the node did its part: nobody's, and not the proxy's, whose calls are not intercepted.
const verifier = ProxyUID + 1

// interception is the init container that hands the pod's connections to Envoy, or
// that holds the pod back where the node's plugin did not.
func (i *injection) interception() Object {
	args := []any{"netinit", "--uid", fmt.Sprint(ProxyUID), "--envoy-ports", ownPorts()}
	for _, a := range annotations {
		if list := i.options.lists[a.flag]; a.flag != "" && len(list) > 0 {
			args = append(args, a.flag, strings.Join(list, ","))
		}
	}
	security := Object{
		"runAsUser": 0, "runAsGroup": 0, "runAsNonRoot": false,
		"allowPrivilegeEscalation": false, "privileged": false, "readOnlyRootFilesystem": true,
		"capabilities":   Object{"drop": []any{"ALL"}, "add": []any{"NET_ADMIN"}},
		"seccompProfile": Object{"type": "RuntimeDefault"},
	}
	if i.settings.Interception == ByCNI {
		args = append(args, "--verify")
		security["runAsUser"], security["runAsGroup"], security["runAsNonRoot"] = verifier, verifier, true
		security["capabilities"] = Object{"drop": []any{"ALL"}}
	}
	c := Object{
		"name": InitContainer, "image": i.settings.InitImage, "command": []any{"meshc"}, "args": args,
		// The proxy's: a pod is never reserved more for its start than for its run, and
		// what a quota wants every container to say is said.
		"resources":       resources(i.options.resources),
		"securityContext": security,
	}
	pulled(c, i.settings.PullPolicy)
	return c
}

// forPlugin is what the node's plugin reads: the same words that netinit gets.
func (i *injection) forPlugin() string {
	words := map[string]any{"uid": ProxyUID, "envoy-ports": []string{ownPorts()}}
	for _, a := range annotations {
		if list := i.options.lists[a.flag]; a.flag != "" && len(list) > 0 {
			words[strings.TrimPrefix(a.flag, "--")] = list
		}
	}
	raw, err := json.Marshal(words)
	if err != nil { // it holds nothing that JSON cannot
		raw = []byte("{}") // which the plugin refuses
	}
	return string(raw)
}
