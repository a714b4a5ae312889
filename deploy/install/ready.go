package install

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/deploy/api"
)

func deploymentRef(namespace string) api.Ref {
	return api.Ref{APIVersion: "apps/v1", Kind: "Deployment", Namespace: namespace, Name: Controller}
}

// About makes a finding of an object.
func About(code diag.Code, r api.Ref, format string, args ...any) diag.Finding {
	f := diag.New(code, diag.Span{File: "cluster"}, format, args...)
	f.Object = &diag.Object{Group: groupOf(r), Kind: r.Kind, Namespace: r.Namespace, Name: r.Name}
	return f
}

// errWaiting is of what may come with time.
var errWaiting = errors.New("not yet")

// Wait waits until every replica of the control plane is available and the API server
// knows by which authority to call it. What is missing when patience ends are findings.
func Wait(ctx context.Context, c *api.Client, namespace string, patience time.Duration) (diag.List, error) {
	var found diag.List
	err := until(ctx, patience, func() error {
		var err error
		if found, err = Readiness(ctx, c, namespace); err != nil {
			return err
		}
		if len(found) > 0 {
			return errWaiting
		}
		return nil
	}, func(err error) bool { return errors.Is(err, errWaiting) || passing(err) })
	if errors.Is(err, errWaiting) {
		return found, nil
	}
	return nil, err
}

// Readiness are findings of why the control plane cannot do its work, none when it can.
func Readiness(ctx context.Context, c *api.Client, namespace string) (found diag.List, err error) {
	ref := deploymentRef(namespace)
	d, err := c.Get(ctx, ref)
	if api.Gone(err) {
		return diag.List{About("MSH4111", ref, "the control plane is not there")}, nil
	}
	if err != nil {
		return nil, err
	}
	if why := rolledOut(d); why != "" {
		f := About("MSH4111", ref, "the control plane is not available: %s", why)
		pods, err := c.List(ctx, api.Ref{APIVersion: "v1", Kind: "Pod", Namespace: namespace}, "app.kubernetes.io/name="+Controller)
		if err != nil {
			return nil, err
		}
		if reasons := append(podReasons(pods), refusedPods(d)...); len(reasons) > 0 {
			f = f.WithHelp("%s", strings.Join(reasons, "\n"))
		}
		found.Add(f)
	}
	more, err := authorities(ctx, c)
	found.Add(more...)
	return found, err
}

// rolledOut says in words what a Deployment lacks.
func rolledOut(d api.Object) string {
	want := int64(1)
	if api.At(d, "spec", "replicas") != nil {
		want = api.Number(d, "spec", "replicas")
	}
	updated, available, all := api.Number(d, "status", "updatedReplicas"), api.Number(d, "status", "availableReplicas"), api.Number(d, "status", "replicas")
	switch {
	case api.Number(d, "status", "observedGeneration") < api.Number(d, "metadata", "generation"):
		return "its newest settings were not taken up yet"
	case updated < want:
		return fmt.Sprintf("%d of %d replicas run the newest settings", updated, want)
	case available < want:
		return fmt.Sprintf("%d of %d replicas are available", available, want)
	case all > want:
		return fmt.Sprintf("%d replicas of older settings have not ended", all-want)
	}
	return ""
}

// refusedPods says why pods of a Deployment could not be made.
func refusedPods(d api.Object) []string {
	if c := condition(d, "ReplicaFailure"); api.Text(c, "status") == "True" {
		return []string{api.Text(c, "message")}
	}
	return nil
}

// podReasons are why pods do not run, each once.
func podReasons(pods []api.Object) []string {
	var out []string
	for _, p := range pods {
		name := api.Text(p, "metadata", "name")
		if c := condition(p, "PodScheduled"); api.Text(c, "status") == "False" {
			out = append(out, fmt.Sprintf("pod %s has no node: %s", name, api.Text(c, "message")))
		}
		for _, s := range append(api.List(p, "status", "initContainerStatuses"), api.List(p, "status", "containerStatuses")...) {
			if reason := api.Text(s, "state", "waiting", "reason"); reason != "" && reason != "PodInitializing" && reason != "ContainerCreating" {
				out = append(out, fmt.Sprintf("pod %s, container %s: %s: %s", name, api.Text(s, "name"), reason, api.Text(s, "state", "waiting", "message")))
			}
			if reason := api.Text(s, "lastState", "terminated", "reason"); reason != "" {
				out = append(out, fmt.Sprintf("pod %s, container %s ended before: %s, exit %d %s", name, api.Text(s, "name"), reason,
					api.Number(s, "lastState", "terminated", "exitCode"), strings.TrimSpace(api.Text(s, "lastState", "terminated", "message"))))
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// configurations are our webhooks'.
var configurations = []api.Ref{
	{APIVersion: "admissionregistration.k8s.io/v1", Kind: "ValidatingWebhookConfiguration", Name: Validating},
	{APIVersion: "admissionregistration.k8s.io/v1", Kind: "MutatingWebhookConfiguration", Name: Mutating},
}

// authorities are findings of webhooks that the API server cannot call: those that
// nobody gave the authority of their certificate.
func authorities(ctx context.Context, c *api.Client) (found diag.List, err error) {
	for _, ref := range configurations {
		o, err := c.Get(ctx, ref)
		if api.Gone(err) {
			found.Add(About("MSH4108", ref, "the webhooks are not there"))
			continue
		}
		if err != nil {
			return nil, err
		}
		for _, w := range api.List(o, "webhooks") {
			if api.Text(w, "clientConfig", "caBundle") == "" {
				found.Add(About("MSH4108", ref, "the API server is not told by which authority it knows webhook %s", api.Text(w, "name")).
					WithHelp("the controller writes it; is it running, and may it?"))
				break
			}
		}
	}
	return found, nil
}
