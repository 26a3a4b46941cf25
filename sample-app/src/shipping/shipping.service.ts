import { Injectable } from '@nestjs/common';
import { InjectRepository } from '@nestjs/typeorm';
import { Repository } from 'typeorm';

import { callPartner } from '../partners/call-partner.js';
import type { PartnerCall } from '../partners/call-partner.js';
import { ShopConfig } from '../shop.config.js';
import { Shipment } from './shipment.entity.js';

export interface Parcel {
  readonly weightGrams: number;
  readonly signatureRequired: boolean;
}

export interface LabelRequest extends Parcel {
  readonly orderId: string;
  readonly country: string;
  readonly tariffs: readonly string[];
}

export interface Label {
  readonly tracking: string;
  readonly labelUrl: string;
}

export interface Pickup {
  readonly tracking: string;
  readonly pickupAt: string;
}

@Injectable()
export class ShippingService {
  constructor(
    private readonly config: ShopConfig,
    @InjectRepository(Shipment) private readonly shipments: Repository<Shipment>,
  ) {}

  async printLabel(request: LabelRequest, call: PartnerCall): Promise<Label> {
    const label = await callPartner<Label>(`${this.config.carrierUrl}/labels`, request, call);
    await this.shipments.upsert({ orderId: request.orderId, ...label }, ['orderId']);
    return label;
  }

  async bookPickup(orderId: string, tracking: string, call: PartnerCall): Promise<Pickup> {
    const pickup = await callPartner<Pickup>(`${this.config.carrierUrl}/pickups`, { orderId, tracking }, call);
    await this.shipments.update({ orderId }, { pickupAt: new Date(pickup.pickupAt) });
    return pickup;
  }
}
