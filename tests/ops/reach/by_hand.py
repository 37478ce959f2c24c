"""Changes by hand through the API; each returns words that the complaint of the check must have."""

from __future__ import annotations

import json
from collections.abc import Callable

from tests.ops.reach.cloud import EVERYWHERE, EVERYWHERE_6, Cloud


def open_ssh(cloud: Cloud) -> str:
    cloud.let_in(cloud.balancer, "tcp", 22, **EVERYWHERE)
    group = f"{cloud.balancer} (timeservice-local-network-BalancerSecurityGroup)"
    return f"{group} lets in tcp 22 over IPv4"


def open_a_port_to_an_address_on_the_internet(cloud: Cloud) -> str:
    cloud.let_in(cloud.balancer, "tcp", 22, IpRanges=[{"CidrIp": "203.0.113.7/32"}])
    return "lets in tcp 22 over IPv4"


def open_a_port_to_half_of_the_internet(cloud: Cloud) -> str:
    cloud.let_in(cloud.balancer, "udp", 53, IpRanges=[{"CidrIp": "128.0.0.0/1"}])
    return "lets in udp 53 over IPv4"


def open_all_ports(cloud: Cloud) -> str:
    cloud.let_in(cloud.balancer, "-1", -1, **EVERYWHERE)
    return "lets in all over IPv4"


def open_a_port_over_ipv6(cloud: Cloud) -> str:
    cloud.let_in(cloud.balancer, "tcp", 80, **EVERYWHERE_6)
    return "lets in tcp 80 over IPv6"


def give_the_balancer_ipv6(cloud: Cloud) -> str:
    change, arn = cloud.elb.set_ip_address_type, cloud.arn()
    change(LoadBalancerArn=arn, IpAddressType="dualstack")
    cloud.undo(change, LoadBalancerArn=arn, IpAddressType="ipv4")
    return "has IPv6 addresses"


def open_the_service_on_the_hosts(cloud: Cloud) -> str:
    cloud.let_in(cloud.host, "tcp", 80, **EVERYWHERE)
    return f"{cloud.host} (timeservice-local-network-HostSecurityGroup) lets in tcp 80 over IPv4"


def add_a_listener(cloud: Cloud) -> str:
    cloud.listen(8080)
    return "listens on tcp 8080, which the Internet does not reach"


def add_a_listener_and_its_rule(cloud: Cloud) -> str:
    cloud.let_in(cloud.balancer, "tcp", 443, **EVERYWHERE)
    cloud.listen(443)
    return "is reachable: tcp 443 over IPv4"


def add_a_balancer(cloud: Cloud) -> str:
    cloud.listen(80, cloud.second_balancer("internet-facing"))
    return "load balancer second is reachable: tcp 80 over IPv4"


def delete_the_listener(cloud: Cloud) -> str:
    (listener,) = cloud.elb.describe_listeners(LoadBalancerArn=cloud.arn())["Listeners"]
    cloud.elb.delete_listener(ListenerArn=listener["ListenerArn"])
    kept = {key: listener[key] for key in ("LoadBalancerArn", "Port", "Protocol", "DefaultActions")}
    cloud.undo(cloud.elb.create_listener, **kept)
    return "no load balancer is reachable on port 80 alone over IPv4"


def route_hosts_to_the_internet(cloud: Cloud) -> str:
    cloud.route(cloud.private[0], GatewayId=cloud.gateway())
    return f"{cloud.table(cloud.private[0])}, that of hosts, leads 0.0.0.0/0 to {cloud.gateway()}"


def route_hosts_to_a_nat_gateway(cloud: Cloud) -> str:
    nat = cloud.ec2.create_nat_gateway(SubnetId=cloud.public[0])["NatGateway"]["NatGatewayId"]
    cloud.route(cloud.private[0], NatGatewayId=nat)
    return f", that of hosts, leads 0.0.0.0/0 to {nat}"


def route_hosts_to_another_vpc(cloud: Cloud) -> str:
    other = cloud.ec2.create_vpc(CidrBlock="172.16.0.0/16")["Vpc"]["VpcId"]
    peering = cloud.ec2.create_vpc_peering_connection(
        VpcId=cloud.outputs["VpcId"], PeerVpcId=other
    )["VpcPeeringConnection"]["VpcPeeringConnectionId"]
    cloud.route(
        cloud.private[0], VpcPeeringConnectionId=peering, DestinationCidrBlock="172.16.0.0/16"
    )
    return f", that of hosts, leads 172.16.0.0/16 to {peering}"


def route_the_main_table_to_the_internet(cloud: Cloud) -> str:
    cloud.route("main", GatewayId=cloud.gateway())
    return f"{cloud.table('main')}, the main one, leads 0.0.0.0/0"


def give_public_addresses_in_a_subnet(cloud: Cloud) -> str:
    change, subnet = cloud.ec2.modify_subnet_attribute, cloud.private[0]
    change(SubnetId=subnet, MapPublicIpOnLaunch={"Value": True})
    cloud.undo(change, SubnetId=subnet, MapPublicIpOnLaunch={"Value": False})
    return f"{cloud.private[0]} gives public addresses"


def put_hosts_into_the_public_subnets(cloud: Cloud) -> str:
    change, group = cloud.client("autoscaling").update_auto_scaling_group, cloud.outputs["Group"]
    change(AutoScalingGroupName=group, VPCZoneIdentifier=",".join(cloud.public))
    cloud.undo(change, AutoScalingGroupName=group, VPCZoneIdentifier=",".join(cloud.private))
    return f"{cloud.table(cloud.public[0])}, that of hosts, leads 0.0.0.0/0"


def give_hosts_public_addresses(cloud: Cloud) -> str:
    interface = {"DeviceIndex": 0, "AssociatePublicIpAddress": True, "Groups": [cloud.host]}
    cloud.second_group(cloud.private, NetworkInterfaces=[interface])
    return "second has a public address that nothing needs"


def let_the_internet_reach_hosts(cloud: Cloud) -> str:
    interface = {"DeviceIndex": 0, "AssociatePublicIpAddress": True, "Groups": [cloud.host]}
    cloud.second_group(cloud.public, NetworkInterfaces=[interface])
    cloud.let_in(cloud.host, "tcp", 22, **EVERYWHERE)
    return "hosts of second is reachable: tcp 22 over IPv4"


def let_hosts_send_anywhere(cloud: Cloud) -> str:
    cloud.let_out(**EVERYWHERE)
    return "may send all to 0.0.0.0/0"


def let_hosts_send_to_an_address_without_a_route(cloud: Cloud) -> str:
    cloud.let_out(IpRanges=[{"CidrIp": "198.51.100.1/32"}])
    return "may send all to 198.51.100.1/32"


def let_hosts_send_to_each_other(cloud: Cloud) -> str:
    cloud.let_out(UserIdGroupPairs=[{"GroupId": cloud.host}])
    return f"may send all to {cloud.host}"


def associate_an_elastic_address(cloud: Cloud) -> str:
    interface = cloud.ec2.create_network_interface(SubnetId=cloud.private[0], Groups=[cloud.host])
    identity = interface["NetworkInterface"]["NetworkInterfaceId"]
    cloud.undo(cloud.ec2.delete_network_interface, NetworkInterfaceId=identity)
    allocation = {"AllocationId": cloud.ec2.allocate_address(Domain="vpc")["AllocationId"]}
    cloud.undo(cloud.ec2.release_address, **allocation)
    cloud.ec2.associate_address(NetworkInterfaceId=identity, **allocation)
    return f"interface {identity} in {cloud.private[0]} is neither the balancer's nor a host's"


def give_the_function_a_url(cloud: Cloud) -> str:
    name, functions = cloud.outputs["Function"], cloud.client("lambda")
    functions.create_function_url_config(FunctionName=name, AuthType="NONE")
    cloud.undo(functions.delete_function_url_config, FunctionName=name)
    return f"function {name} is reachable: URL, authorization NONE"


def let_everyone_call_the_function(cloud: Cloud) -> str:
    name, functions = cloud.outputs["Function"], cloud.client("lambda")
    statement = {"FunctionName": name, "StatementId": "all"}
    functions.add_permission(**statement, Action="lambda:InvokeFunction", Principal="*")
    cloud.undo(functions.remove_permission, **statement)
    return f"function {name} is reachable: lambda:InvokeFunction over API"


def policy(action: str, resource: str) -> str:
    statement = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": action}
    return json.dumps({"Statement": [{**statement, "Resource": resource}]})


def let_everyone_publish_to_the_topic(cloud: Cloud) -> str:
    topics, topic = cloud.client("sns"), {"TopicArn": cloud.outputs["AlertTopic"]}
    before = topics.get_topic_attributes(**topic)["Attributes"]["Policy"]
    change, request = topics.set_topic_attributes, {**topic, "AttributeName": "Policy"}
    change(**request, AttributeValue=policy("sns:Publish", "*"))
    cloud.undo(change, **request, AttributeValue=before)
    return "is reachable: sns:Publish over API"


def unblock_the_bucket(cloud: Cloud) -> str:
    s3, bucket = cloud.client("s3"), {"Bucket": cloud.outputs["ArtifactsBucket"]}
    before = s3.get_public_access_block(**bucket)["PublicAccessBlockConfiguration"]
    s3.delete_public_access_block(**bucket)
    cloud.undo(s3.put_public_access_block, **bucket, PublicAccessBlockConfiguration=before)
    return f"bucket {bucket['Bucket']} may be public"


MUTATIONS: list[Callable[[Cloud], str]] = [
    open_ssh,
    open_a_port_to_an_address_on_the_internet,
    open_a_port_to_half_of_the_internet,
    open_all_ports,
    open_a_port_over_ipv6,
    give_the_balancer_ipv6,
    open_the_service_on_the_hosts,
    add_a_listener,
    add_a_listener_and_its_rule,
    add_a_balancer,
    delete_the_listener,
    route_hosts_to_the_internet,
    route_hosts_to_a_nat_gateway,
    route_hosts_to_another_vpc,
    route_the_main_table_to_the_internet,
    give_public_addresses_in_a_subnet,
    put_hosts_into_the_public_subnets,
    give_hosts_public_addresses,
    let_the_internet_reach_hosts,
    let_hosts_send_anywhere,
    let_hosts_send_to_an_address_without_a_route,
    let_hosts_send_to_each_other,
    associate_an_elastic_address,
    give_the_function_a_url,
    let_everyone_call_the_function,
    let_everyone_publish_to_the_topic,
    unblock_the_bucket,
]
