package verify

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	rbacv3 "github.com/envoyproxy/go-control-plane/envoy/config/rbac/v3"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

// Policies are the bulk of what a mesh says, and their permissions and principals
// repeat. So rules and policies are read field by field, and each permission and
// principal once for all that are equal.

// The fields of config.rbac.v3.RBAC, of an entry of its policies, and of a policy.
const (
	rulesAction       = 1
	rulesPolicies     = 2
	entryKey          = 1
	entryValue        = 2
	policyPermissions = 1
	policyPrincipals  = 2
)

func readRules(body []byte) (*rules, error) {
	out := &rules{}
	found := map[string][]byte{}
	err := eachField(body, func(number protowire.Number, kind protowire.Type, value []byte) error {
		switch {
		case number == rulesAction && kind == protowire.VarintType:
			action, _ := protowire.ConsumeVarint(value)
			if action != uint64(rbacv3.RBAC_ALLOW) && action != uint64(rbacv3.RBAC_DENY) {
				return fmt.Errorf("RBAC action %s is not understood", rbacv3.RBAC_Action(action))
			}
			out.deny = action == uint64(rbacv3.RBAC_DENY)
			return nil
		case number == rulesPolicies && kind == protowire.BytesType:
			name, policy, err := readEntry(value)
			found[name] = policy
			return err
		}
		return fmt.Errorf("RBAC says field %d, which is not understood", number)
	})
	if err != nil {
		return nil, err
	}
	for name, body := range found {
		p, err := readPolicy(body)
		if err != nil {
			return nil, inside(err, "policy %s", name)
		}
		p.name = name
		out.policies = append(out.policies, p)
	}
	slices.SortFunc(out.policies, func(a, b policy) int { return cmp.Compare(a.name, b.name) })
	return out, nil
}

func readEntry(body []byte) (name string, policy []byte, err error) {
	err = eachField(body, func(number protowire.Number, kind protowire.Type, value []byte) error {
		switch {
		case number == entryKey && kind == protowire.BytesType:
			name = string(value)
		case number == entryValue && kind == protowire.BytesType:
			policy = append(policy, value...)
		default:
			return fmt.Errorf("a policy has field %d beside its name, which is not understood", number)
		}
		return nil
	})
	return name, policy, err
}

func readPolicy(body []byte) (policy, error) {
	var out policy
	var permissions, principals []ask
	var class strings.Builder
	err := eachField(body, func(number protowire.Number, kind protowire.Type, value []byte) error {
		switch {
		case number == policyPermissions && kind == protowire.BytesType:
			p, err := readPermissions.get(value, func() (*clause, error) { return newClause(value, &rbacv3.Permission{}) })
			if err != nil {
				return err
			}
			permissions = append(permissions, p.is)
			out.from = append(out.from, p.from)
			class.WriteString(p.class)
		case number == policyPrincipals && kind == protowire.BytesType:
			p, err := readPrincipals.get(value, func() (*clause, error) { return newClause(value, &rbacv3.Principal{}) })
			if err != nil {
				return err
			}
			principals = append(principals, p.is)
			out.names = append(out.names, p.names...)
			if !p.exact {
				out.vague = true
				out.from = append(out.from, p.from)
				class.WriteString(p.class)
			}
		default:
			return fmt.Errorf("a policy says field %d, which is not understood", number)
		}
		return nil
	})
	if err == nil && (len(permissions) == 0 || len(principals) == 0) {
		err = errors.New("a policy without permissions or principals is refused by Envoy")
	}
	out.matches = all([]ask{some(permissions), some(principals)})
	out.class = class.String()
	return out, err
}

// clause is a permission or a principal.
type clause struct {
	is    ask
	from  proto.Message
	class string
	names people
	exact bool // it takes one identity and nobody else
}

var readPermissions, readPrincipals kept[*clause]

func newClause(body []byte, m proto.Message) (*clause, error) {
	if err := decode(body, m); err != nil {
		return nil, err
	}
	out := &clause{from: m, class: strconv.Itoa(len(body)) + ":" + string(body)}
	var err error
	switch m := m.(type) {
	case *rbacv3.Permission:
		out.is, err = permission(m)
	case *rbacv3.Principal:
		out.is, err = principal(m)
		out.names.principal(m)
		out.exact = m.GetAuthenticated().GetPrincipalName().GetExact() != ""
	}
	return out, err
}

// words are rules as a class has them.
func (r *rules) words() string {
	if r == nil {
		return "none"
	}
	var b strings.Builder
	b.WriteString("rules " + strconv.FormatBool(r.deny))
	for i := range r.policies {
		b.WriteString(" policy" + r.policies[i].class)
	}
	return b.String()
}
