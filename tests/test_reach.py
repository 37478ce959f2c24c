"""What is reachable, computed from a deployment's state: of the templates, and of what somebody has changed by hand."""

from __future__ import annotations

import copy
import functools
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from audit.reach.__main__ import main, reach, report
from audit.reach.ports import public, told
from audit.reach.state import State, read
from audit.target import Target
from local.steps import CloudError
from tests.permissions.emulator import REGION, Emulator
from tests.permissions.signals import hosts_signal
from tests.templates import TEMPLATES

pytestmark = pytest.mark.emulated


class Cloud:
    """A deployment that somebody changes by hand, and that can be restored: a new one for each change takes longer."""

    def __init__(self, emulator: Emulator) -> None:
        # Clients are made once: making one takes longer than most calls.
        self.client = functools.cache(emulator.client)
        self.target = Target("timeservice-local", REGION, self.client)
        emulator.tags = {"deployment": self.target.deployment}
        self.outputs = self._deployed(emulator)
        self.later: list[Callable[[], object]] = []
        self.ec2, self.elb = self.client("ec2"), self.client("elbv2")
        self.balancer, self.host = (
            self.outputs[f"{one}SecurityGroup"] for one in ("Balancer", "Host")
        )
        self.public = self.outputs["PublicSubnets"].split(",")
        self.private = self.outputs["PrivateSubnets"].split(",")

    def _deployed(self, emulator: Emulator) -> dict[str, str]:
        """The outputs of all stacks, and what else is a parameter of one."""
        lists = self.client("ec2").describe_prefix_lists()["PrefixLists"]
        (s3,) = (one for one in lists if one["PrefixListName"] == f"com.amazonaws.{REGION}.s3")
        known = {"S3PrefixList": s3["PrefixListId"], "Release": "r1", "ImageKey": "images/1.tar.gz"}
        known["PackageKey"] = "healthcheck/1.zip"
        for part in ("artifacts", "network", "balancer", "hosts", "healthcheck"):
            if part == "healthcheck":
                self.client("s3").put_object(Bucket=known["Bucket"], Key=known["PackageKey"])
            given = {key: known[key] for key in TEMPLATES[part].parameters if key in known}
            known |= emulator.deploy(f"{self.target.deployment}-{part}", part, **given)
            known["ArtifactsBucket"] = known["Bucket"]
        return known

    def restore(self) -> None:
        while self.later:
            self.later.pop()()

    def undo(self, call: Callable[..., object], **request: Any) -> None:
        self.later.append(lambda: call(**request))

    def let_in(self, group: str, protocol: str, port: int, **source: Any) -> None:
        rule = {"IpProtocol": protocol, "FromPort": port, "ToPort": port, **source}
        request = {"GroupId": group, "IpPermissions": [rule]}
        self.ec2.authorize_security_group_ingress(**request)
        self.undo(self.ec2.revoke_security_group_ingress, **request)

    def let_out(self, **peer: Any) -> None:
        request = {"GroupId": self.host, "IpPermissions": [{"IpProtocol": "-1", **peer}]}
        self.ec2.authorize_security_group_egress(**request)
        self.undo(self.ec2.revoke_security_group_egress, **request)

    def table(self, of: str) -> str:
        """Id of the route table of a subnet, or of the main one."""
        found = self.ec2.describe_route_tables(
            Filters=[{"Name": "vpc-id", "Values": [self.outputs["VpcId"]]}]
        )["RouteTables"]
        return next(
            str(table["RouteTableId"])
            for table in found
            for one in table["Associations"]
            if one.get("SubnetId", "main" if one["Main"] else "") == of
        )

    def gateway(self) -> str:
        gateways = self.ec2.describe_internet_gateways()["InternetGateways"]
        return next(
            str(one["InternetGatewayId"])
            for one in gateways
            if one["Attachments"][0]["VpcId"] == self.outputs["VpcId"]
        )

    def route(self, of: str, **target: str) -> None:
        to = {"RouteTableId": self.table(of)}
        to["DestinationCidrBlock"] = target.pop("DestinationCidrBlock", "0.0.0.0/0")
        self.ec2.create_route(**to, **target)
        self.undo(self.ec2.delete_route, **to)

    def arn(self) -> str:
        return str(self.elb.describe_load_balancers()["LoadBalancers"][0]["LoadBalancerArn"])

    def listen(self, port: int, arn: str = "") -> None:
        action = {"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "404"}}
        made = self.elb.create_listener(
            LoadBalancerArn=arn or self.arn(),
            Port=port,
            Protocol="HTTP",
            DefaultActions=[action],
        )
        self.undo(self.elb.delete_listener, ListenerArn=made["Listeners"][0]["ListenerArn"])

    def second_balancer(self, scheme: str) -> str:
        made = self.elb.create_load_balancer(
            Name="second", Scheme=scheme, Subnets=self.public, SecurityGroups=[self.balancer]
        )
        arn = str(made["LoadBalancers"][0]["LoadBalancerArn"])
        self.undo(self.elb.delete_load_balancer, LoadBalancerArn=arn)
        return arn

    def second_group(self, subnets: list[str], **data: Any) -> None:
        """Hosts from another version of the launch template."""
        autoscaling = self.client("autoscaling")
        group = autoscaling.describe_auto_scaling_groups()["AutoScalingGroups"][0]
        identity = group["LaunchTemplate"]["LaunchTemplateId"]
        version = self.ec2.create_launch_template_version(
            LaunchTemplateId=identity, SourceVersion="1", LaunchTemplateData=data
        )["LaunchTemplateVersion"]["VersionNumber"]
        autoscaling.create_auto_scaling_group(
            AutoScalingGroupName="second",
            MinSize=1,
            MaxSize=1,
            LaunchTemplate={"LaunchTemplateId": identity, "Version": str(version)},
            VPCZoneIdentifier=",".join(subnets),
        )
        delete = autoscaling.delete_auto_scaling_group
        self.undo(delete, AutoScalingGroupName="second", ForceDelete=True)


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    emulator = Emulator(tmp_path_factory.mktemp("emulator") / "log")
    try:
        with hosts_signal(emulator):
            cloud = Cloud(emulator)
        yield cloud
        assert reach(read(cloud.target)).wrong == []  # each change was taken back
    finally:
        emulator.stop()


@pytest.fixture(scope="module")
def untouched(deployed: Cloud) -> State:
    return read(deployed.target)


@pytest.fixture
def cloud(untouched: State, deployed: Cloud) -> Iterator[Cloud]:
    yield deployed
    deployed.restore()


EVERYWHERE = {"IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
EVERYWHERE_6 = {"Ipv6Ranges": [{"CidrIpv6": "::/0"}]}


# Each changes a deployment through the API, and returns the words in which the check must complain.


def a_rule_for_ssh(cloud: Cloud) -> str:
    cloud.let_in(cloud.balancer, "tcp", 22, **EVERYWHERE)
    return f"{cloud.balancer} (timeservice-local-network-BalancerSecurityGroup) lets in tcp 22 over IPv4"


def a_rule_for_one_address_on_the_internet(cloud: Cloud) -> str:
    cloud.let_in(cloud.balancer, "tcp", 22, IpRanges=[{"CidrIp": "203.0.113.7/32"}])
    return "lets in tcp 22 over IPv4"


def a_rule_for_half_of_the_internet(cloud: Cloud) -> str:
    cloud.let_in(cloud.balancer, "udp", 53, IpRanges=[{"CidrIp": "128.0.0.0/1"}])
    return "lets in udp 53 over IPv4"


def a_rule_for_all_traffic(cloud: Cloud) -> str:
    cloud.let_in(cloud.balancer, "-1", -1, **EVERYWHERE)
    return "lets in udp all over IPv4"


def a_rule_for_ipv6(cloud: Cloud) -> str:
    cloud.let_in(cloud.balancer, "tcp", 80, **EVERYWHERE_6)
    return "lets in tcp 80 over IPv6"


def a_balancer_with_ipv6(cloud: Cloud) -> str:
    change, arn = cloud.elb.set_ip_address_type, cloud.arn()
    change(LoadBalancerArn=arn, IpAddressType="dualstack")
    cloud.undo(change, LoadBalancerArn=arn, IpAddressType="ipv4")
    return "has a public address (IPv6: internet-facing)"


def the_service_on_the_hosts_for_everyone(cloud: Cloud) -> str:
    cloud.let_in(cloud.host, "tcp", 80, **EVERYWHERE)
    return f"{cloud.host} (timeservice-local-network-HostSecurityGroup) lets in tcp 80 over IPv4"


def a_second_listener(cloud: Cloud) -> str:
    cloud.listen(8080)
    return "listens on tcp 8080 (IPv4) behind closed doors"


def a_second_listener_and_its_rule(cloud: Cloud) -> str:
    cloud.let_in(cloud.balancer, "tcp", 443, **EVERYWHERE)
    cloud.listen(443)
    return "is reachable: tcp 80, 443 over IPv4"


def a_second_balancer(cloud: Cloud) -> str:
    cloud.listen(80, cloud.second_balancer("internet-facing"))
    return "load balancer second is reachable: tcp 80 over IPv4"


def no_listener(cloud: Cloud) -> str:
    (listener,) = cloud.elb.describe_listeners(LoadBalancerArn=cloud.arn())["Listeners"]
    cloud.elb.delete_listener(ListenerArn=listener["ListenerArn"])
    kept = {key: listener[key] for key in ("LoadBalancerArn", "Port", "Protocol", "DefaultActions")}
    cloud.undo(cloud.elb.create_listener, **kept)
    return "port 80 is not reachable"


def a_default_route_of_the_hosts_to_the_internet(cloud: Cloud) -> str:
    cloud.route(cloud.private[0], GatewayId=cloud.gateway())
    return f"{cloud.table(cloud.private[0])}, that of hosts, leads 0.0.0.0/0 to {cloud.gateway()}"


def a_default_route_of_the_hosts_through_a_nat_gateway(cloud: Cloud) -> str:
    nat = cloud.ec2.create_nat_gateway(SubnetId=cloud.public[0])["NatGateway"]["NatGatewayId"]
    cloud.route(cloud.private[0], NatGatewayId=nat)
    return f", that of hosts, leads 0.0.0.0/0 to {nat}"


def a_route_of_the_hosts_to_another_vpc(cloud: Cloud) -> str:
    other = cloud.ec2.create_vpc(CidrBlock="172.16.0.0/16")["Vpc"]["VpcId"]
    peering = cloud.ec2.create_vpc_peering_connection(
        VpcId=cloud.outputs["VpcId"], PeerVpcId=other
    )["VpcPeeringConnection"]["VpcPeeringConnectionId"]
    cloud.route(
        cloud.private[0], VpcPeeringConnectionId=peering, DestinationCidrBlock="172.16.0.0/16"
    )
    return f", that of hosts, leads 172.16.0.0/16 to {peering}"


def a_default_route_of_the_main_route_table(cloud: Cloud) -> str:
    cloud.route("main", GatewayId=cloud.gateway())
    return f"{cloud.table('main')}, the main one, leads 0.0.0.0/0"


def a_host_subnet_without_its_route_table(cloud: Cloud) -> str:
    table = cloud.table(cloud.private[0])
    (association,) = (
        one["RouteTableAssociationId"]
        for each in cloud.ec2.describe_route_tables(RouteTableIds=[table])["RouteTables"]
        for one in each["Associations"]
        if one["SubnetId"] == cloud.private[0]
    )
    cloud.ec2.disassociate_route_table(AssociationId=association)
    cloud.undo(cloud.ec2.associate_route_table, RouteTableId=table, SubnetId=cloud.private[0])
    return f"in {cloud.private[0]} do not reach S3"


def public_addresses_for_what_is_launched(cloud: Cloud) -> str:
    change, subnet = cloud.ec2.modify_subnet_attribute, cloud.private[0]
    change(SubnetId=subnet, MapPublicIpOnLaunch={"Value": True})
    cloud.undo(change, SubnetId=subnet, MapPublicIpOnLaunch={"Value": False})
    return f"{cloud.private[0]} gives public addresses"


def hosts_in_the_public_subnets(cloud: Cloud) -> str:
    change, group = cloud.client("autoscaling").update_auto_scaling_group, cloud.outputs["Group"]
    change(AutoScalingGroupName=group, VPCZoneIdentifier=",".join(cloud.public))
    cloud.undo(change, AutoScalingGroupName=group, VPCZoneIdentifier=",".join(cloud.private))
    return f"{cloud.table(cloud.public[0])}, that of hosts, leads 0.0.0.0/0"


def hosts_with_public_addresses(cloud: Cloud) -> str:
    interface = {"DeviceIndex": 0, "AssociatePublicIpAddress": True, "Groups": [cloud.host]}
    cloud.second_group(cloud.private, NetworkInterfaces=[interface])
    return "second has a public address (IPv4: the launch template asks for a public address)"


def hosts_that_the_internet_reaches(cloud: Cloud) -> str:
    interface = {"DeviceIndex": 0, "AssociatePublicIpAddress": True, "Groups": [cloud.host]}
    cloud.second_group(cloud.public, NetworkInterfaces=[interface])
    cloud.let_in(cloud.host, "tcp", 22, **EVERYWHERE)
    return "hosts of second is reachable: tcp 22 over IPv4"


def hosts_that_may_send_anywhere(cloud: Cloud) -> str:
    cloud.let_out(**EVERYWHERE)
    return "may send tcp all, udp all, icmp, other to 0.0.0.0/0 (inside the VPC)"


def hosts_that_may_send_to_an_address_without_a_route(cloud: Cloud) -> str:
    cloud.let_out(IpRanges=[{"CidrIp": "198.51.100.1/32"}])
    return "to nowhere (198.51.100.1/32 is allowed;"


def hosts_that_may_send_to_each_other(cloud: Cloud) -> str:
    cloud.let_out(UserIdGroupPairs=[{"GroupId": cloud.host}])
    return f"to security group {cloud.host} (inside the VPC)"


def another_instance(cloud: Cloud) -> str:
    made = cloud.ec2.run_instances(
        ImageId="ami-1",
        MinCount=1,
        MaxCount=1,
        SubnetId=cloud.public[0],
        SecurityGroupIds=[cloud.balancer],
    )
    instance = made["Instances"][0]["InstanceId"]
    cloud.undo(cloud.ec2.terminate_instances, InstanceIds=[instance])
    return f"interface {instance} is reachable: tcp 80 over IPv4"


def an_elastic_address(cloud: Cloud) -> str:
    interface = cloud.ec2.create_network_interface(SubnetId=cloud.private[0], Groups=[cloud.host])
    held = {"NetworkInterfaceId": interface["NetworkInterface"]["NetworkInterfaceId"]}
    cloud.undo(cloud.ec2.delete_network_interface, **held)
    address = cloud.ec2.allocate_address(Domain="vpc")
    allocation = {"AllocationId": address["AllocationId"]}
    cloud.undo(cloud.ec2.release_address, **allocation)
    cloud.ec2.associate_address(**held, **allocation)
    return f"address {address['PublicIp']} belongs to something that the API does not name"


def a_url_of_the_function(cloud: Cloud) -> str:
    name, functions = cloud.outputs["Function"], cloud.client("lambda")
    functions.create_function_url_config(FunctionName=name, AuthType="NONE")
    cloud.undo(functions.delete_function_url_config, FunctionName=name)
    return f"function {name} is reachable: URL, authorization NONE"


def a_function_for_everyone(cloud: Cloud) -> str:
    name, functions = cloud.outputs["Function"], cloud.client("lambda")
    statement = {"FunctionName": name, "StatementId": "all"}
    functions.add_permission(**statement, Action="lambda:InvokeFunction", Principal="*")
    cloud.undo(functions.remove_permission, **statement)
    return f"function {name} is reachable: lambda:InvokeFunction over API"


def policy(action: str, resource: str) -> str:
    statement = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": action}
    return json.dumps({"Statement": [{**statement, "Resource": resource}]})


def a_topic_for_everyone(cloud: Cloud) -> str:
    topics, topic = cloud.client("sns"), {"TopicArn": cloud.outputs["AlertTopic"]}
    before = topics.get_topic_attributes(**topic)["Attributes"]["Policy"]
    change, request = topics.set_topic_attributes, {**topic, "AttributeName": "Policy"}
    change(**request, AttributeValue=policy("sns:Publish", "*"))
    cloud.undo(change, **request, AttributeValue=before)
    return "is reachable: sns:Publish over API"


def a_bucket_without_its_block(cloud: Cloud) -> str:
    s3, bucket = cloud.client("s3"), {"Bucket": cloud.outputs["ArtifactsBucket"]}
    before = s3.get_public_access_block(**bucket)["PublicAccessBlockConfiguration"]
    s3.delete_public_access_block(**bucket)
    cloud.undo(s3.put_public_access_block, **bucket, PublicAccessBlockConfiguration=before)
    return f"bucket {bucket['Bucket']} may be made public"


def a_public_bucket(cloud: Cloud) -> str:
    a_bucket_without_its_block(cloud)
    s3, name = cloud.client("s3"), cloud.outputs["ArtifactsBucket"]
    before = s3.get_bucket_policy(Bucket=name)["Policy"]
    s3.put_bucket_policy(Bucket=name, Policy=policy("s3:GetObject", f"arn:aws:s3:::{name}/*"))
    cloud.undo(s3.put_bucket_policy, Bucket=name, Policy=before)
    return f"bucket {name} is reachable: s3:GetObject over API"


MUTATIONS: list[Callable[[Cloud], str]] = [
    a_rule_for_ssh,
    a_rule_for_one_address_on_the_internet,
    a_rule_for_half_of_the_internet,
    a_rule_for_all_traffic,
    a_rule_for_ipv6,
    a_balancer_with_ipv6,
    the_service_on_the_hosts_for_everyone,
    a_second_listener,
    a_second_listener_and_its_rule,
    a_second_balancer,
    no_listener,
    a_default_route_of_the_hosts_to_the_internet,
    a_default_route_of_the_hosts_through_a_nat_gateway,
    a_route_of_the_hosts_to_another_vpc,
    a_default_route_of_the_main_route_table,
    a_host_subnet_without_its_route_table,
    public_addresses_for_what_is_launched,
    hosts_in_the_public_subnets,
    hosts_with_public_addresses,
    hosts_that_the_internet_reaches,
    hosts_that_may_send_anywhere,
    hosts_that_may_send_to_an_address_without_a_route,
    hosts_that_may_send_to_each_other,
    another_instance,
    an_elastic_address,
    a_url_of_the_function,
    a_function_for_everyone,
    a_topic_for_everyone,
    a_bucket_without_its_block,
    a_public_bucket,
]


@pytest.mark.parametrize("mutate", MUTATIONS, ids=lambda one: one.__name__)
def test_a_change_by_hand_is_named(cloud: Cloud, mutate: Callable[[Cloud], str]) -> None:
    complaint = mutate(cloud)
    wrong = reach(read(cloud.target)).wrong
    assert any(complaint in one for one in wrong), (complaint, wrong)


def test_what_does_not_open_anything_is_not_named(cloud: Cloud) -> None:
    """All at once: none of them may be told."""
    cloud.let_in(cloud.balancer, "tcp", 22, IpRanges=[{"CidrIp": "10.0.0.0/8"}])
    cloud.let_in(cloud.host, "-1", -1, IpRanges=[{"CidrIp": "192.168.1.0/24"}])
    cloud.let_in(cloud.balancer, "tcp", 22, Ipv6Ranges=[{"CidrIpv6": "fd00::/8"}])
    cloud.let_in(cloud.host, "tcp", 80, UserIdGroupPairs=[{"GroupId": cloud.host}])
    cloud.let_in(
        cloud.balancer, "tcp", 80, IpRanges=[{"CidrIp": "198.51.100.0/24", "Description": "twice"}]
    )
    cloud.ec2.create_tags(
        Resources=[cloud.balancer, cloud.private[0]], Tags=[{"Key": "owner", "Value": "me"}]
    )
    cloud.ec2.allocate_address(Domain="vpc")
    cloud.listen(9000, cloud.second_balancer("internal"))
    cloud.ec2.create_security_group(
        GroupName="new", Description="new", VpcId=cloud.outputs["VpcId"]
    )
    cloud.ec2.create_route_table(VpcId=cloud.outputs["VpcId"])
    other = cloud.ec2.create_vpc(CidrBlock="172.16.0.0/16")["Vpc"]["VpcId"]
    elsewhere = cloud.ec2.create_security_group(GroupName="open", Description="open", VpcId=other)[
        "GroupId"
    ]
    cloud.let_in(elsewhere, "-1", -1, **EVERYWHERE)
    cloud.client("s3").create_bucket(Bucket="somebody-elses")
    assert reach(read(cloud.target)).wrong == []


# Each changes a state, in ways for which the local cloud has no API, or that it does not keep.


def ipv6(state: State) -> None:
    """Addresses, a route for them, and the entry that AWS adds to the default ACL."""
    allow = {"Egress": False, "RuleNumber": 101, "RuleAction": "allow", "Protocol": "-1"}
    state.acls[0]["Entries"].append({**allow, "Ipv6CidrBlock": "::/0"})
    for subnet in state.subnets:
        subnet["AssignIpv6AddressOnCreation"] = True
    for table in state.route_tables:
        if any(route["DestinationCidrBlock"] == "0.0.0.0/0" for route in table["Routes"]):
            (gateway,) = state.internet_gateways
            route = {"DestinationIpv6CidrBlock": "::/0", "GatewayId": gateway}
            table["Routes"].append({**route, "Origin": "CreateRoute", "State": "active"})


def group(state: State, name: str) -> dict[str, Any]:
    return next(one for one in state.groups if one["GroupName"].endswith(name))


def balancer_over_ipv6(state: State) -> str:
    ipv6(state)
    state.balancers[0]["IpAddressType"] = "dualstack"
    group(state, "BalancerSecurityGroup")["IpPermissions"][0].update(EVERYWHERE_6)
    return f"{state.balancers[0]['LoadBalancerName']} is reachable: tcp 80 over IPv6"


def host_over_ipv6(state: State) -> str:
    ipv6(state)
    rule = {"IpProtocol": "58", "FromPort": -1, "ToPort": -1, **EVERYWHERE_6}
    group(state, "HostSecurityGroup")["IpPermissions"].append(rule)
    state.host_groups[0]["Subnets"] = {
        zone["SubnetId"] for zone in state.balancers[0]["AvailabilityZones"]
    }
    return "is reachable: icmp over IPv6"


def egress_only_gateway(state: State) -> str:
    for table in state.route_tables:
        route = {"DestinationIpv6CidrBlock": "::/0", "EgressOnlyInternetGatewayId": "eigw-1"}
        table["Routes"].append({**route, "Origin": "CreateRoute"})
    return ", that of hosts, leads ::/0 to eigw-1"


def prefix_list_as_a_source(state: State) -> str:
    rule = {
        "IpProtocol": "tcp",
        "FromPort": 1,
        "ToPort": 90,
        "PrefixListIds": [{"PrefixListId": "pl-1"}],
    }
    group(state, "BalancerSecurityGroup")["IpPermissions"].append(rule)
    return "lets in tcp 1-79, 81-90 over IPv4"


def main_association_moved(state: State) -> str:
    for table in state.route_tables:
        public = any(route["DestinationCidrBlock"] == "0.0.0.0/0" for route in table["Routes"])
        table["Associations"] = [one for one in table["Associations"] if not one["Main"]]
        if public:
            table["Associations"].append({"Main": True})
    return ", the main one, leads 0.0.0.0/0"


def host_subnets_on_the_main_table_that_leads_out(state: State) -> str:
    """None of their own: they fall to the main one. With a public address and a rule, that is all it takes."""
    main_association_moved(state)
    for table in state.route_tables:
        hosts = state.host_groups[0]["Subnets"]
        table["Associations"] = [
            one for one in table["Associations"] if one.get("SubnetId") not in hosts
        ]
    data = state.host_groups[0]["LaunchTemplateData"]
    data["NetworkInterfaces"][0]["AssociatePublicIpAddress"] = True
    group(state, "HostSecurityGroup")["IpPermissions"][0].update(EVERYWHERE)
    return f"hosts of {state.host_groups[0]['AutoScalingGroupName']} is reachable: tcp 80 over IPv4"


def network_balancer_without_a_group(state: State) -> str:
    balancer = copy.deepcopy(state.balancers[0])
    state.balancers.append(balancer)
    balancer.update(LoadBalancerName="second", Type="network", SecurityGroups=[])
    balancer["Listeners"] = [{"Port": 53, "Protocol": "TCP_UDP"}]
    return "load balancer second is reachable: udp 53 over IPv4"


def interface_of_nobody(state: State) -> str:
    """A NAT gateway's, a function's, a client VPN's ..."""
    interface = {"NetworkInterfaceId": "eni-1", "Description": "Interface for NAT Gateway nat-1"}
    subnet = state.balancers[0]["AvailabilityZones"][0]["SubnetId"]
    state.interfaces.append({**interface, "SubnetId": subnet, "Groups": []})
    return f"interface eni-1 in {subnet} is neither the balancer's nor a host's"


def elastic_address_of_a_host(state: State) -> str:
    interface = real_host(state)
    state.addresses.append({"PublicIp": "198.51.100.1", "NetworkInterfaceId": interface})
    return "interface eni-1 has a public address (IPv4: public address 198.51.100.1)"


def real_host(state: State) -> str:
    """A host as AWS tells it; returns the id of its interface."""
    state.host_groups[0]["Instances"] = [{"InstanceId": "i-1"}]
    interface = {"NetworkInterfaceId": "eni-1", "Attachment": {"InstanceId": "i-1"}}
    groups = [{"GroupId": group(state, "HostSecurityGroup")["GroupId"]}]
    subnet = min(state.host_groups[0]["Subnets"])
    state.interfaces.append({**interface, "SubnetId": subnet, "Groups": groups})
    return "eni-1"


def default_security_group(state: State) -> str:
    """What a launch template without groups gives its hosts: they may send anywhere."""
    state.host_groups[0]["LaunchTemplateData"]["NetworkInterfaces"] = []
    return "may send tcp all, udp all, icmp, other to 0.0.0.0/0"


def endpoint_to_any_bucket(state: State) -> str:
    policy = {"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}
    state.endpoints[0]["PolicyDocument"] = {"Statement": [policy]}
    return "carries to any bucket"


def bucket_for_everyone_by_acl(state: State) -> str:
    everyone = {"Type": "Group", "URI": "http://acs.amazonaws.com/groups/global/AllUsers"}
    state.buckets[0]["Grants"].append({"Grantee": everyone, "Permission": "READ"})
    state.buckets[0]["Block"]["IgnorePublicAcls"] = False
    return "is reachable: READ over API"


def resource_that_nobody_knows(state: State) -> str:
    state.types.add("AWS::ApiGatewayV2::Api")
    return "resources of type AWS::ApiGatewayV2::Api"


def denied_by_the_acl(state: State) -> str:
    deny = {"Egress": False, "RuleNumber": 1, "RuleAction": "deny", "Protocol": "6"}
    ports = {"PortRange": {"From": 0, "To": 1023}}
    state.acls[0]["Entries"].append({**deny, **ports, "CidrBlock": "0.0.0.0/0"})
    return "port 80 is not reachable"


def detached_gateway(state: State) -> str:
    state.internet_gateways.clear()
    return "port 80 is not reachable"


@pytest.mark.parametrize(
    "mutate",
    [
        balancer_over_ipv6,
        host_over_ipv6,
        egress_only_gateway,
        prefix_list_as_a_source,
        main_association_moved,
        host_subnets_on_the_main_table_that_leads_out,
        network_balancer_without_a_group,
        interface_of_nobody,
        elastic_address_of_a_host,
        default_security_group,
        endpoint_to_any_bucket,
        bucket_for_everyone_by_acl,
        resource_that_nobody_knows,
        denied_by_the_acl,
        detached_gateway,
    ],
    ids=lambda one: one.__name__,
)
def test_a_state_is_judged(untouched: State, mutate: Callable[[State], str]) -> None:
    state = copy.deepcopy(untouched)
    assert reach(state).wrong == []
    complaint = mutate(state)
    wrong = reach(state).wrong
    assert any(complaint in one for one in wrong), (complaint, wrong)


def test_what_aws_tells_and_the_local_cloud_does_not_is_no_door(untouched: State) -> None:
    """Interfaces of the balancer and of a host, and an ACL that lets everyone in but some."""
    state = copy.deepcopy(untouched)
    real_host(state)
    name = state.balancers[0]["LoadBalancerName"]
    interface = {"NetworkInterfaceId": "eni-2", "Description": f"ELB app/{name}/0123456789abcdef"}
    address = {"Association": {"PublicIp": "198.51.100.2"}}
    state.interfaces.append({**interface, **address, "SubnetId": "subnet-1", "Groups": []})
    deny = {"Egress": False, "RuleNumber": 1, "RuleAction": "deny", "Protocol": "-1"}
    state.acls[0]["Entries"].append({**deny, "CidrBlock": "203.0.113.0/24"})
    assert reach(state).wrong == []


def test_the_report_tells_doors_exits_and_reasons(untouched: State) -> None:
    text = report(reach(untouched))
    gateway = next(iter(untouched.internet_gateways))
    assert f"{gateway}, 0.0.0.0/0 in rtb-" in text
    assert "tcp 443  com.amazonaws.us-east-1.s3" in text
    assert "Amazon's resolver" in text
    assert text.splitlines()[-1] == "OK: the load balancer's port 80 over IPv4, and nothing else"


@pytest.mark.parametrize(
    ("block", "expected"),
    [
        ("0.0.0.0/0", True),
        ("::/0", True),
        ("10.0.0.0/7", True),  # half of it is somebody's
        ("203.0.113.7/32", True),
        ("172.32.0.0/16", True),
        ("10.42.0.0/16", False),
        ("172.31.0.1/16", False),
        ("100.64.0.0/10", False),
        ("fd12::/48", False),
        ("2600:1f18::/64", True),
    ],
)
def test_a_block_is_public_if_any_address_of_it_may_be(block: str, expected: bool) -> None:
    assert public(block) is expected


@pytest.mark.parametrize(
    ("protocol", "found", "expected"),
    [
        ("tcp", {80}, "tcp 80"),
        ("tcp", {22, 80, 81, 82}, "tcp 22, 80-82"),
        ("udp", set(range(65536)), "udp all"),
        ("icmp", {-1}, "icmp"),
    ],
)
def test_ports_are_told_as_ranges(protocol: str, found: set[int], expected: str) -> None:
    assert told(protocol, frozenset(found)) == expected


def test_the_command_says_so_with_its_exit_code(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("audit.reach.__main__.target", lambda args: cloud.target)
    assert main([]) == 0
    assert capsys.readouterr().out.splitlines()[-1].startswith("OK: ")
    cloud.listen(8080)
    assert main([]) == 1
    assert "WRONG: load balancer" in capsys.readouterr().out
    empty = cloud.target._replace(deployment="timeservice-nowhere")
    monkeypatch.setattr("audit.reach.__main__.target", lambda args: empty)
    assert main([]) == 3
    assert "there is no deployment timeservice-nowhere" in capsys.readouterr().err


def test_a_cloud_that_is_not_up_cannot_be_read(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def down(args: object) -> None:
        raise CloudError("the local cloud is not up; `make up` starts it")

    monkeypatch.setattr("audit.reach.__main__.target", down)
    assert main([]) == 3
    assert capsys.readouterr().err == "error: the local cloud is not up; `make up` starts it\n"
    with pytest.raises(SystemExit, match="2"):
        main(["--nonsense"])
