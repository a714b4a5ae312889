package api

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
)

// Namespaced are the kinds of objects that lie in namespaces and can be listed, each in
// the version that the API server prefers; unknown are the groups that gave no answer,
// as one does whose own server is away.
func (c *Client) Namespaced(ctx context.Context) (kinds []Ref, unknown []string, err error) {
	groups, err := c.JSON(ctx, http.MethodGet, "/apis", nil)
	if err != nil {
		return nil, nil, err
	}
	versions := []string{"v1"}
	for _, g := range List(groups, "groups") {
		versions = append(versions, Text(g, "preferredVersion", "groupVersion"))
	}
	for _, version := range versions {
		text, err := c.Raw(ctx, http.MethodGet, group(version), "", nil)
		if Gone(err) {
			continue // it went meanwhile
		}
		var list struct {
			Resources []struct {
				resource
				Verbs []string `json:"verbs"`
			} `json:"resources"`
		}
		if err != nil || json.Unmarshal(text, &list) != nil {
			unknown = append(unknown, version)
			continue
		}
		for _, r := range list.Resources {
			if r.Namespaced && !strings.Contains(r.Name, "/") && slices.Contains(r.Verbs, "list") {
				kinds = append(kinds, Ref{APIVersion: version, Kind: r.Kind})
			}
		}
	}
	return kinds, unknown, nil
}
