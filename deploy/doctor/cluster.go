package doctor

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/version"

	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/deploy/api"
	"github.com/meshc/meshc/deploy/install"
)

// least is the oldest Kubernetes that is tried: sidecars of its own form began there.
var least = version.MajorMinor(1, 29)

func (d *doctor) kubernetes(ctx context.Context) (string, diag.List, error) {
	got, err := d.Client.JSON(ctx, http.MethodGet, "/version", nil)
	if err != nil {
		return "", nil, err
	}
	is := api.Text(got, "gitVersion")
	v, err := version.ParseGeneric(is)
	if err != nil {
		return is, nil, err
	}
	if v.LessThan(least) {
		return is, diag.List{diag.New("MSH4105", diag.Span{File: d.Client.Server()}, "the API server is %s, and meshc is tested from %s on", is, least)}, nil
	}
	return is, nil, nil
}

func (d *doctor) kubelets(ctx context.Context) (string, diag.List, error) {
	nodes, err := d.Client.List(ctx, api.Ref{APIVersion: "v1", Kind: "Node"}, "")
	var found diag.List
	for _, n := range nodes {
		ref := api.RefOf(n)
		if api.Text(n, "status", "nodeInfo", "operatingSystem") == "windows" {
			found.Add(install.About("MSH4120", ref, "node %s runs Windows", ref.Name).WithEffect("no pod of the mesh can run on it: they are refused when they are made"))
			continue
		}
		is := api.Text(n, "status", "nodeInfo", "kubeletVersion")
		if v, err := version.ParseGeneric(is); d.native && (err != nil || v.LessThan(least)) {
			found.Add(install.About("MSH4106", ref, "the kubelet of node %s is %q, and native sidecars need %s", ref.Name, is, least).
				WithEffect("a pod with a native sidecar never starts its application there").
				WithHelp("meshc upgrade --set sidecar=classic, or a newer kubelet"))
		}
	}
	return fmt.Sprintf("%d nodes", len(nodes)), found, err
}

// skew is how far clocks may be apart: certificates and tokens are valid from the
// moment that they are made.
const skew = 10 * time.Second

// clocks compares the API server's clock with this machine's, and each node's, by the
// lease that its kubelet renews, with the API server's.
func (d *doctor) clocks(ctx context.Context) (string, diag.List, error) {
	server, err := d.Client.Clock(ctx)
	if err != nil {
		return "", nil, err
	}
	var found diag.List
	if off := server.Sub(d.Now).Truncate(time.Second); off.Abs() > skew {
		found.Add(diag.New("MSH4109", diag.Span{File: d.Client.Server()}, "the API server's clock is %s off this machine's", off))
	}
	leases, err := d.Client.List(ctx, api.Ref{APIVersion: "coordination.k8s.io/v1", Kind: "Lease", Namespace: "kube-node-lease"}, "")
	for _, l := range leases {
		renewed, err := time.Parse(time.RFC3339Nano, api.Text(l, "spec", "renewTime"))
		if err != nil {
			continue // it was never renewed
		}
		// A lease that is old says that the kubelet is away; one from the future can only be a clock.
		if ahead := renewed.Sub(server).Truncate(time.Second); ahead > skew {
			ref := api.Ref{APIVersion: "v1", Kind: "Node", Name: api.Text(l, "metadata", "name")}
			found.Add(install.About("MSH4109", ref, "the clock of node %s is %s ahead of the API server's", ref.Name, ahead))
		}
	}
	return fmt.Sprintf("within %s, %d nodes", skew, len(leases)), found, err
}

// right is something that one may do.
type right struct{ group, resource, namespace, verb string }

// needed is what who installs needs.
func (d *doctor) needed() []right {
	var out []right
	for _, r := range []right{
		{"", "namespaces", "", ""}, {"", "nodes", "", "list"}, {"apiextensions.k8s.io", "customresourcedefinitions", "", ""},
		{"rbac.authorization.k8s.io", "clusterroles", "", ""}, {"rbac.authorization.k8s.io", "clusterrolebindings", "", ""},
		{"rbac.authorization.k8s.io", "roles", d.Namespace, ""}, {"rbac.authorization.k8s.io", "rolebindings", d.Namespace, ""},
		{"admissionregistration.k8s.io", "validatingwebhookconfigurations", "", ""}, {"admissionregistration.k8s.io", "mutatingwebhookconfigurations", "", ""},
		{"", "serviceaccounts", d.Namespace, ""}, {"", "services", d.Namespace, ""}, {"", "configmaps", d.Namespace, ""}, {"apps", "deployments", d.Namespace, ""},
		{"policy", "poddisruptionbudgets", d.Namespace, ""}, {"networking.k8s.io", "networkpolicies", d.Namespace, ""}, {"meshc.dev", "meshes", "", ""},
	} {
		if r.verb != "" {
			out = append(out, r)
			continue
		}
		for _, verb := range []string{"get", "create", "patch", "delete"} {
			r.verb = verb
			out = append(out, r)
		}
	}
	return out
}

func (d *doctor) permissions(ctx context.Context) (string, diag.List, error) {
	var lacking []string
	all := d.needed()
	for _, r := range all {
		may, err := d.may(ctx, "SelfSubjectAccessReview", api.Object{}, r)
		if err != nil {
			return "", nil, err
		}
		if !may {
			lacking = append(lacking, r.String())
		}
	}
	if len(lacking) > 0 {
		return fmt.Sprintf("%d of %d are lacking", len(lacking), len(all)), diag.List{diag.New("MSH4104", diag.Span{File: d.Client.Server()}, "you may not %s", strings.Join(lacking, ", ")).
			WithEffect("an installation, an upgrade or an uninstall would stop half-way")}, nil
	}
	return fmt.Sprintf("all %d that an installation takes", len(all)), nil, nil
}

func (r right) String() string {
	out := r.verb + " " + r.resource
	if r.group != "" {
		out += "." + r.group
	}
	if r.namespace != "" {
		out += " in " + r.namespace
	}
	return out
}

// may asks the API server whether somebody may do something.
func (d *doctor) may(ctx context.Context, review string, spec api.Object, r right) (bool, error) {
	attributes := api.Object{"group": r.group, "verb": r.verb, "namespace": r.namespace}
	attributes["resource"], attributes["subresource"], _ = strings.Cut(r.resource, "/")
	spec["resourceAttributes"] = attributes
	path := "/apis/authorization.k8s.io/v1/" + strings.ToLower(review) + "s"
	got, err := d.Client.JSON(ctx, http.MethodPost, path, api.Object{"apiVersion": "authorization.k8s.io/v1", "kind": review, "spec": spec})
	if err != nil {
		return false, err
	}
	may, _ := api.At(got, "status", "allowed").(bool)
	return may, nil
}

// account looks whether the controller may what its work takes: it may be that others
// made its roles.
func (d *doctor) account(ctx context.Context) (string, diag.List, error) {
	who := "system:serviceaccount:" + d.Namespace + ":" + install.Controller
	var lacking []string
	rights := []right{
		{"", "pods", "", "watch"}, {"", "services", "", "watch"}, {"", "serviceaccounts", "", "watch"}, {"", "namespaces", "", "watch"}, {"", "nodes", "", "watch"},
		{"discovery.k8s.io", "endpointslices", "", "watch"}, {"authentication.k8s.io", "tokenreviews", "", "create"},
		{"access.smi-spec.io", "traffictargets", "", "watch"}, {"access.smi-spec.io", "traffictargets/status", "", "patch"},
		{"specs.smi-spec.io", "httproutegroups", "", "watch"}, {"split.smi-spec.io", "trafficsplits", "", "watch"},
		{"meshc.dev", "meshes", "", "watch"}, {"meshc.dev", "meshes/status", "", "patch"}, {"", "configmaps", "", "create"},
		{"", "secrets", d.Namespace, "create"}, {"coordination.k8s.io", "leases", d.Namespace, "create"},
	}
	for _, r := range rights {
		may, err := d.may(ctx, "SubjectAccessReview", api.Object{"user": who, "groups": []any{"system:serviceaccounts", "system:authenticated"}}, r)
		if err != nil {
			return "", nil, err
		}
		if !may {
			lacking = append(lacking, r.String())
		}
	}
	if len(lacking) > 0 {
		ref := api.Ref{APIVersion: "v1", Kind: "ServiceAccount", Namespace: d.Namespace, Name: install.Controller}
		return "some are lacking", diag.List{install.About("MSH4104", ref, "the controller may not %s", strings.Join(lacking, ", ")).
			WithHelp("the roles in deploy/chart/templates/rbac.yaml have all that it needs: meshc upgrade writes them")}, nil
	}
	return fmt.Sprintf("%d were tried", len(rights)), nil, nil
}
