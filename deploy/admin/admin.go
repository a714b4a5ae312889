// Package admin is a sidecar's Envoy as its admin interface tells it: its configuration
// and the endpoints it knows, without private keys, and for each resource which objects
// it comes from. It reads JSON, and no types of Envoy. How the interface is reached, it
// does not know.
package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// Port is where a sidecar's admin interface listens, for the pod alone.
const Port = 15000

// object is a piece of JSON.
type object = map[string]any

// maxAnswer bounds what is read of an answer, in bytes.
const maxAnswer = 256 << 20

// Dump is the configuration of an Envoy, of which what may be secret is redacted.
func Dump(ctx context.Context, web *http.Client) (map[string]any, error) {
	var out object
	if err := ask(ctx, web, "/config_dump?include_eds", &out); err != nil {
		return nil, err
	}
	return redact(out).(object), nil
}

// Host is an endpoint as an Envoy has it now.
type Host struct {
	Cluster, Address string
	Health           string // healthy, or why not
	Weight, Priority int
	Zone             string
	Requests         string // how many it was sent
}

// Hosts are the endpoints of an Envoy with their health, by cluster.
func Hosts(ctx context.Context, web *http.Client) ([]Host, error) {
	var out struct {
		Statuses []struct {
			Name  string `json:"name"`
			Hosts []struct {
				Address object `json:"address"`
				Health  object `json:"health_status"`
				Stats   []struct {
					Name  string `json:"name"`
					Value any    `json:"value"`
				} `json:"stats"`
				Weight   int    `json:"weight"`
				Priority int    `json:"priority"`
				Locality object `json:"locality"`
			} `json:"host_statuses"`
		} `json:"cluster_statuses"`
	}
	if err := ask(ctx, web, "/clusters?format=json", &out); err != nil {
		return nil, err
	}
	var hosts []Host
	for _, c := range out.Statuses {
		for _, h := range c.Hosts {
			host := Host{Cluster: c.Name, Address: address(h.Address), Health: health(h.Health), Weight: h.Weight, Priority: h.Priority}
			host.Zone, _ = h.Locality["zone"].(string)
			for _, s := range h.Stats {
				if s.Name == "rq_total" && s.Value != nil {
					host.Requests = fmt.Sprint(s.Value)
				}
			}
			hosts = append(hosts, host)
		}
	}
	return hosts, nil
}

// health is what is wrong with an endpoint, in Envoy's words.
func health(h object) string {
	var out []string
	for _, flag := range []string{"failed_active_health_check", "failed_outlier_check", "failed_active_degraded_check", "pending_dynamic_removal", "pending_active_hc", "excluded_via_immediate_hc_fail", "active_hc_timeout"} {
		if is, _ := h[flag].(bool); is {
			out = append(out, strings.ReplaceAll(flag, "_", " "))
		}
	}
	if eds, _ := h["eds_health_status"].(string); eds != "" && eds != "HEALTHY" && eds != "UNKNOWN" {
		out = append(out, strings.ToLower(eds))
	}
	if out == nil {
		return "healthy"
	}
	return strings.Join(out, ", ")
}

func ask(ctx context.Context, web *http.Client, path string, into any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://localhost"+path, nil)
	if err != nil {
		return err
	}
	resp, err := web.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return errors.New("the admin interface answers " + resp.Status)
	}
	return json.Unmarshal(text, into)
}
