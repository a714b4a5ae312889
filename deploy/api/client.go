// Package api is an API server as installation, doctor and the verbs of day two see
// it: objects as JSON decodes them, of whatever kind the server says it has. Who asks
// for what, and why, it does not know.
package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// Manager is who owns the fields that are applied here.
const Manager = "meshc"

// Client asks one API server. It may be used by many at once.
type Client struct {
	web  *http.Client
	base *url.URL
	// config is what both were made of.
	config *rest.Config
	// Namespace is what the kubeconfig's context says, else default.
	Namespace string

	mu    sync.Mutex
	kinds map[string][]resource // by apiVersion
}

// resource is a kind as discovery tells it.
type resource struct {
	Name       string `json:"name"`
	Kind       string `json:"kind"`
	Namespaced bool   `json:"namespaced"`
}

// Open is a client for a kubeconfig file and one of its contexts; where both are empty
// for KUBECONFIG, ~/.kube/config or the pod's own account.
func Open(kubeconfig, context string) (*Client, error) {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = kubeconfig
	loader := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, &clientcmd.ConfigOverrides{CurrentContext: context})
	config, err := loader.ClientConfig()
	if err != nil {
		return nil, fmt.Errorf("no cluster: %w", err)
	}
	c, err := New(config)
	if err != nil {
		return nil, err
	}
	if ns, _, err := loader.Namespace(); err == nil && ns != "" {
		c.Namespace = ns
	}
	return c, nil
}

// New is a client for a configuration.
func New(config *rest.Config) (*Client, error) {
	config = rest.CopyConfig(config)
	config.UserAgent = "meshc"
	web, err := rest.HTTPClientFor(config)
	if err != nil {
		return nil, err
	}
	base, _, err := rest.DefaultServerUrlFor(config)
	if err != nil {
		return nil, err
	}
	return &Client{web: web, base: base, config: config, Namespace: "default", kinds: map[string][]resource{}}, nil
}

// Server is the API server's address.
func (c *Client) Server() string { return c.base.String() }

// maxAnswer bounds what is read of an answer, in bytes.
const maxAnswer = 256 << 20

// Raw asks for a path, which may have a query, with a body or none. A refusal is an
// error that apierrors knows.
func (c *Client) Raw(ctx context.Context, method, path, contentType string, body []byte) ([]byte, error) {
	at, err := c.base.Parse(strings.TrimSuffix(c.base.Path, "/") + path)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, method, at.String(), strings.NewReader(string(body)))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "application/json, */*")
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	resp, err := c.web.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return nil, err
	}
	if resp.StatusCode < 300 {
		return text, nil
	}
	var status meta.Status
	if json.Unmarshal(text, &status) == nil && status.Kind == "Status" {
		return nil, &apierrors.StatusError{ErrStatus: status}
	}
	return nil, &apierrors.StatusError{ErrStatus: meta.Status{
		Status: meta.StatusFailure, Code: int32(resp.StatusCode), Reason: reasons[resp.StatusCode],
		Message: fmt.Sprintf("%s %s: %s: %s", method, path, resp.Status, strings.TrimSpace(string(text[:min(len(text), 500)]))),
	}}
}

var reasons = map[int]meta.StatusReason{
	http.StatusNotFound: meta.StatusReasonNotFound, http.StatusForbidden: meta.StatusReasonForbidden,
	http.StatusUnauthorized: meta.StatusReasonUnauthorized, http.StatusServiceUnavailable: meta.StatusReasonServiceUnavailable,
}

// JSON asks with an object, nil for none, and reads one.
func (c *Client) JSON(ctx context.Context, method, path string, in Object) (Object, error) {
	var body []byte
	kind := ""
	if in != nil {
		var err error
		if body, err = json.Marshal(in); err != nil {
			return nil, err
		}
		kind = "application/json"
	}
	text, err := c.Raw(ctx, method, path, kind, body)
	if err != nil {
		return nil, err
	}
	var out Object
	return out, json.Unmarshal(text, &out)
}

// Clock is the API server's time, to the second.
func (c *Client) Clock(ctx context.Context) (time.Time, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.base.String()+"/version", nil)
	if err != nil {
		return time.Time{}, err
	}
	resp, err := c.web.Do(req)
	if err != nil {
		return time.Time{}, err
	}
	defer resp.Body.Close()
	return http.ParseTime(resp.Header.Get("Date"))
}

// ErrNoKind is of a kind that the API server does not have.
var ErrNoKind = errors.New("the API server does not have this kind")

// find is the resource of a kind.
func (c *Client) find(ctx context.Context, apiVersion, kind string) (resource, error) {
	c.mu.Lock()
	known := c.kinds[apiVersion]
	c.mu.Unlock()
	for _, r := range known {
		if r.Kind == kind {
			return r, nil
		}
	}
	var list struct {
		Resources []resource `json:"resources"`
	}
	text, err := c.Raw(ctx, http.MethodGet, group(apiVersion), "", nil)
	if apierrors.IsNotFound(err) {
		return resource{}, fmt.Errorf("%s %s: %w", apiVersion, kind, ErrNoKind)
	}
	if err != nil {
		return resource{}, err
	}
	if err := json.Unmarshal(text, &list); err != nil {
		return resource{}, err
	}
	c.mu.Lock()
	c.kinds[apiVersion] = list.Resources
	c.mu.Unlock()
	for _, r := range list.Resources {
		if r.Kind == kind && !strings.Contains(r.Name, "/") {
			return r, nil
		}
	}
	return resource{}, fmt.Errorf("%s %s: %w", apiVersion, kind, ErrNoKind)
}

func group(apiVersion string) string {
	if strings.Contains(apiVersion, "/") {
		return "/apis/" + apiVersion
	}
	return "/api/" + apiVersion
}

// Path is where a kind's objects lie: of a namespace, or of all where it is empty; and
// one of them, where a name is given.
func (c *Client) Path(ctx context.Context, r Ref) (string, error) {
	found, err := c.find(ctx, r.APIVersion, r.Kind)
	if err != nil {
		return "", err
	}
	out := group(r.APIVersion)
	if found.Namespaced && r.Namespace != "" {
		out += "/namespaces/" + url.PathEscape(r.Namespace)
	}
	out += "/" + found.Name
	if r.Name != "" {
		out += "/" + url.PathEscape(r.Name)
	}
	return out, nil
}
